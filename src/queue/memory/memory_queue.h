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
  Result<> Extend(std::span<const std::string> handles,
                  std::chrono::milliseconds visibility) override;
  Result<> GiveBack(std::span<const std::string> handles, std::chrono::milliseconds delay) override;
  Result<> Delete(std::span<const std::string> handles) override;
  Result<int64_t> Depth() override;

 private:
  using Entry = MemoryDatabase::MessageEntry;

  /// The first turn that a group which has nothing here can get: that of the next message to go,
  /// so that no group catches up on turns in which it had nothing.
  int64_t FirstTurn(Timestamp now) const;
  /// The turn of a message that joins its group's now.
  int64_t NextTurn(std::string_view group, int64_t first_turn) const;
  /// Gives those messages their turns whose time has come.
  void GiveDueTurns(Timestamp now);
  /// Null for a handle that is no longer valid.
  Entry* Find(const std::string& handle);

  MemoryDatabase& database_;
  Clock& clock_;
};

}  // namespace spillway::store
