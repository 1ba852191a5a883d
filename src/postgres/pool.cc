#include "postgres/pool.h"

#include <utility>

namespace spillway::postgres {

Pool::Lent::~Lent() {
  if (connection_ != nullptr) pool_->TakeBack(std::move(connection_));
}

Result<Pool::Lent> Pool::Lend(std::stop_token stop) {
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Connection> connection = std::move(idle_.back());
      idle_.pop_back();
      return Lent(*this, std::move(connection));
    }
  }
  return Lent(*this, TRY(Connection::Open(address_, options_, std::move(stop))));
}

void Pool::TakeBack(std::unique_ptr<Connection> connection) {
  if (!connection->usable()) return;
  std::lock_guard lock(mutex_);
  idle_.push_back(std::move(connection));
}

}  // namespace spillway::postgres
