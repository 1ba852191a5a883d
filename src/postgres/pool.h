#pragma once

#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "postgres/connection.h"

namespace spillway::postgres {

/// Keeps connections to one address open between uses. There are as many as there were uses at the
/// same time. Thread-safe; must outlive what it lends.
class Pool {
 public:
  explicit Pool(std::string address, ConnectOptions options = {})
      : address_(std::move(address)), options_(std::move(options)) {}

  /// A connection lent to one thread; it goes back at the end, unless it is no longer usable.
  class Lent {
   public:
    Lent(Pool& pool, std::unique_ptr<Connection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    Lent(Lent&&) noexcept = default;
    Lent& operator=(Lent&&) = delete;
    ~Lent();

    Connection& operator*() { return *connection_; }
    Connection* operator->() { return connection_.get(); }

   private:
    Pool* pool_;
    std::unique_ptr<Connection> connection_;  // null once moved
  };

  Result<Lent> Lend(std::stop_token stop = {});

 private:
  void TakeBack(std::unique_ptr<Connection> connection);

  const std::string address_;
  const ConnectOptions options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace spillway::postgres
