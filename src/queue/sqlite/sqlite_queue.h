#pragma once

#include "base/clock.h"
#include "queue/queue.h"
#include "store/sqlite/database.h"

namespace spillway::store {

/// Messages in one SQLite file, beside the jobs or alone. A loss of power may lose the last ones,
/// as hints may be lost. `database` and `clock` outlive the queue.
class SqliteQueue final : public Queue {
 public:
  SqliteQueue(Database& database, Clock& clock) : database_(database), clock_(clock) {}

  Result<> Send(std::span<const Message> messages) override;
  Result<std::vector<Delivery>> Receive(size_t limit,
                                        std::chrono::milliseconds visibility) override;
  Result<> Extend(std::span<const std::string> handles,
                  std::chrono::milliseconds visibility) override;
  Result<> GiveBack(std::span<const std::string> handles, std::chrono::milliseconds delay) override;
  Result<> Delete(std::span<const std::string> handles) override;
  Result<int64_t> Depth() override;

 private:
  Database& database_;
  Clock& clock_;
};

}  // namespace spillway::store
