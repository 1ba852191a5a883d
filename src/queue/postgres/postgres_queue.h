#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/clock.h"
#include "queue/queue.h"
#include "store/postgres/database.h"

namespace spillway::store::postgres_state {

/// Messages in a PostgreSQL database. `database` and `clock` outlive it. A crash of the server may
/// lose the newest messages, as hints may be. Sending notifies those that wait, in all processes;
/// behind PgBouncer in transaction mode, where nobody can listen, they only look from time to time.
class PostgresQueue final : public Queue {
 public:
  PostgresQueue(Database& database, Clock& clock) : database_(database), clock_(clock) {}

  Result<> Send(std::span<const Message> messages) override;
  Result<std::vector<Delivery>> Receive(size_t limit,
                                        std::chrono::milliseconds visibility) override;
  Result<> Extend(std::span<const std::string> handles,
                  std::chrono::milliseconds visibility) override;
  Result<> GiveBack(std::span<const std::string> handles, std::chrono::milliseconds delay) override;
  Result<> Delete(std::span<const std::string> handles) override;
  Result<int64_t> Depth() override;
  void Wait(Clock& clock, std::chrono::milliseconds pause, std::stop_token stop) override;
  /// Whether a wait ends with the next message, and not just with its pause.
  bool listening() {
    std::lock_guard lock(mutex_);
    return listening_;
  }

 private:
  /// Hears what others send, on a connection of its own.
  void Listen(std::stop_token stop);
  Result<> ListenOnce(const std::stop_token& stop);

  Database& database_;
  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable_any sent_;
  uint64_t notifications_ = 0;  // guarded by mutex_, as what follows
  uint64_t received_at_ = 0;    // notifications_ before the last look
  bool listening_ = false;
  std::jthread listener_;  // last: it uses the rest
};

}  // namespace spillway::store::postgres_state
