#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <stop_token>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "simulation/fiber.h"

namespace spillway::simulation {

/// Runs fibers on one thread, in an order that the seed alone decides, in a time that passes only
/// while all of them sleep. Fibers belong to processes, which are stopped, paused and killed whole.
class Scheduler {
 public:
  using Process = size_t;

  explicit Scheduler(uint64_t seed) : random_(seed) {}
  ~Scheduler() { KillAll(); }

  Timestamp now() const { return now_; }
  Random& random() { return random_; }

  /// A new process without fibers.
  Process NewProcess();
  void Spawn(Process process, std::function<void()> body);

  /// From a fiber: others run meanwhile. Woken early by `stop`.
  void SleepFor(std::chrono::microseconds duration, std::stop_token stop = {});

  /// None of its fibers goes on before then.
  void Pause(Process process, Timestamp until);

  /// None of its fibers ever goes on. Does not return when called from one of them.
  void Kill(Process process);
  /// From outside: unwinds every fiber.
  void KillAll();
  bool IsAlive(Process process) const { return processes_[process].alive; }
  /// Whether all its fibers have ended or were killed.
  bool HasEnded(Process process) const { return processes_[process].running == 0; }

  /// Runs until then, or until `done`, or until nothing is left to run.
  void Run(Timestamp until, const std::function<bool()>& done);

 private:
  struct ProcessState {
    bool alive = true;
    size_t running = 0;
    Timestamp paused_until;
  };

  struct Task {
    Process process = 0;
    std::unique_ptr<Fiber> fiber;
    uint64_t sleeps = 0;  ///< Wakings of an earlier sleep are void.
  };

  struct Waking {
    Timestamp at;
    uint64_t tie = 0;
    size_t task = 0;
    uint64_t sleep = 0;

    bool operator>(const Waking& other) const {
      return at != other.at ? at > other.at : tie > other.tie;
    }
  };

  void Wake(size_t task, Timestamp at);
  void Reap(size_t task);
  void BuryTheDead();

  static constexpr size_t kNone = SIZE_MAX;

  Random random_;
  Timestamp now_{std::chrono::seconds(1'800'000'000)};
  std::vector<ProcessState> processes_;
  std::vector<Task> tasks_;
  size_t current_ = kNone;
  bool deaths_ = false;
  std::priority_queue<Waking, std::vector<Waking>, std::greater<>> wakings_;
};

/// The scheduler's time, as the engine sees it.
class SimulatedClock final : public Clock {
 public:
  explicit SimulatedClock(Scheduler& scheduler) : scheduler_(scheduler) {}

  Timestamp Now() override { return scheduler_.now(); }
  void SleepFor(std::chrono::microseconds duration, std::stop_token stop) override {
    scheduler_.SleepFor(duration, std::move(stop));
  }

 private:
  Scheduler& scheduler_;
};

}  // namespace spillway::simulation
