#pragma once

#include "base/clock.h"
#include "queue/queue.h"
#include "store/memory/memory_database.h"

namespace spillway::store {

/// Messages in memory, for tests and simulation. `database` and `clock` outlive the queue.
class MemoryQueue final : public Queue {
 public:
  MemoryQueue(MemoryDatabase& database, Clock& clock) : database_(database), clock_(clock) {}

  Result<> Send(std::span<const Message> messages) override;
  Result<std::vector<Delivery>> Receive(size_t limit,
                                        std::chrono::milliseconds visibility) override;
  Result<> SetVisibility(std::span<const std::string> handles,
                         std::chrono::milliseconds visibility) override;
  Result<> Delete(std::span<const std::string> handles) override;
  Result<int64_t> Depth() override;

 private:
  MemoryDatabase& database_;
  Clock& clock_;
};

}  // namespace spillway::store
