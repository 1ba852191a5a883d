#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "simulation/faults.h"
#include "simulation/scheduler.h"

namespace spillway::simulation {

/// Hears of everything that happens, in order. An empty one is not called.
using Trace = std::function<void(std::string_view process, const std::string& event)>;

/// A process as the faults see it: every call that leaves it goes through Call.
class SimulatedProcess {
 public:
  SimulatedProcess(std::string name, Scheduler& scheduler, const Faults& faults, const Trace& trace,
                   std::chrono::milliseconds lease)
      : name_(std::move(name)),
        scheduler_(scheduler),
        id_(scheduler.NewProcess()),
        faults_(faults),
        trace_(trace),
        lease_(lease) {}

  const std::string& name() const { return name_; }
  Scheduler::Process id() const { return id_; }
  Scheduler& scheduler() { return scheduler_; }
  const Faults& faults() const { return faults_; }
  bool alive() const { return scheduler_.IsAlive(id_); }

  /// Whether a fault of that probability strikes now.
  bool Strikes(double probability) {
    return probability > 0 && scheduler_.random().Fraction() < probability;
  }

  /// Something of the world does what `effect` does: after a while, perhaps never, perhaps without
  /// an answer. `effect` itself is atomic. The dead change nothing.
  template <class Effect>
  std::invoke_result_t<Effect> Call(std::string_view what, std::string_view about, Effect effect) {
    if (!alive()) return FailTransient(ErrorCode::kUnavailable, "the process is dead");
    Linger();
    if (Strikes(faults_.crash)) Crash(what);
    if (Strikes(faults_.partition)) Separate();
    if (Strikes(faults_.fail_before) || scheduler_.now() < separated_until_) {
      return Lose(what, about, "fails");
    }
    auto answer = effect();
    Tell(what, about, answer.has_value() ? "" : answer.error().message);
    if (Strikes(faults_.crash)) Crash(what);
    Linger();
    if (Strikes(faults_.fail_after)) return Lose(what, about, "has no answer");
    return answer;
  }

  /// Time passes, and others run.
  void Linger();

  /// Dies. Does not return when called from one of its own fibers.
  void Crash(std::string_view where);

  /// An empty `what` is not told: it stands for a look for work, of which there are many.
  void Tell(std::string_view what, std::string_view about, std::string_view outcome);

 private:
  void Separate();
  std::unexpected<Error> Lose(std::string_view what, std::string_view about, std::string_view how);

  const std::string name_;
  Scheduler& scheduler_;
  const Scheduler::Process id_;
  const Faults& faults_;
  const Trace& trace_;
  const std::chrono::milliseconds lease_;
  Timestamp separated_until_;
};

}  // namespace spillway::simulation
