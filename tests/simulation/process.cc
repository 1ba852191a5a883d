#include "simulation/process.h"

namespace spillway::simulation {

using std::chrono::microseconds;
using std::chrono::milliseconds;

void SimulatedProcess::Linger() {
  Random& random = scheduler_.random();
  const uint64_t kind = random.Below(100);
  microseconds pause{0};
  if (kind >= 95) {
    pause = milliseconds(random.Below(400));
  } else if (kind >= 70) {
    pause = microseconds(random.Below(10'000));
  }
  if (Strikes(faults_.pause)) {
    pause = milliseconds(random.Below(static_cast<uint64_t>(lease_.count()) * 4));
    scheduler_.Pause(id_, scheduler_.now() + pause);
    Tell("pause", std::to_string(pause.count() / 1000) + " ms", "");
  }
  scheduler_.SleepFor(pause);
}

void SimulatedProcess::Separate() {
  const milliseconds time(scheduler_.random().Below(static_cast<uint64_t>(lease_.count()) * 2));
  separated_until_ = scheduler_.now() + time;
  Tell("partition", std::to_string(time.count()) + " ms", "");
}

void SimulatedProcess::Crash(std::string_view where) {
  Tell("crash", where, "");
  scheduler_.Kill(id_);
}

void SimulatedProcess::Tell(std::string_view what, std::string_view about,
                            std::string_view outcome) {
  if (!trace_ || what.empty()) return;
  std::string event(what);
  if (!about.empty()) event.append(" ").append(about);
  if (!outcome.empty()) event.append(": ").append(outcome);
  trace_(name_, event);
}

std::unexpected<Error> SimulatedProcess::Lose(std::string_view what, std::string_view about,
                                              std::string_view how) {
  Tell(what, about, how);
  return FailTransient(ErrorCode::kUnavailable, "simulated: a call " + std::string(how));
}

}  // namespace spillway::simulation
