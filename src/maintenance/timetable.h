#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/time_zone.h"
#include "engine/engine.h"
#include "maintenance/services.h"
#include "recipe/recipe.h"
#include "schedule/cron.h"
#include "store/job_store.h"

namespace spillway::engine {

/// What to do with ticks that came while no process was running.
enum class CatchUp {
  kNone,  ///< They are passed over. A tick is fired within a minute or not at all.
  kLast,  ///< The last one is fired, the others are passed over.
  kAll,   ///< Each is fired, in order.
};

/// An export that is run by the clock.
struct Schedule {
  std::string name;
  std::string recipe;
  schedule::Cron cron;
  TimeZone zone;
  CatchUp catch_up = CatchUp::kLast;
  std::chrono::milliseconds catch_up_within{86'400'000};  ///< Older ticks are passed over.
  /// What is asked for at a tick.
  std::function<Result<recipe::Request>(Timestamp tick)> request;
};

/// E10. Fires schedules. Any number of processes may run one on the same state: a tick is fired in
/// the step that settles it in the store, by one of them. A schedule that is new begins with the
/// first tick after the first look. Used by one thread.
class Timetable final : public Service {
 public:
  Timetable(Engine& engine, store::JobStore& store, Clock& clock, Log& log,
            std::vector<Schedule> schedules)
      : engine_(engine),
        store_(store),
        clock_(clock),
        log_(log),
        schedules_(std::move(schedules)) {}

  /// Fires what is due; returns how many jobs this made. The error of one schedule does not stop
  /// the others; its ticks stay due, and it is tried again after a second, then two, four and so on
  /// up to half a minute. Returns the first error, if any.
  Result<int64_t> FireDue();

  std::string_view name() const override { return "timetable"; }
  std::chrono::milliseconds period() const override { return std::chrono::milliseconds(500); }
  /// As FireDue.
  Result<> Run(std::stop_token stop) override;

 private:
  Result<int64_t> FireDue(const Schedule& schedule, Timestamp now);

  Engine& engine_;
  store::JobStore& store_;
  Clock& clock_;
  Log& log_;
  const std::vector<Schedule> schedules_;
  /// Up to where the store said each is settled, when last asked.
  std::map<std::string, Timestamp> settled_until_;
  /// Schedules that could not be fired: how often in a row, and when they are tried again.
  struct Retry {
    int failures = 0;
    Timestamp at;
  };
  std::map<std::string, Retry> retries_;
};

}  // namespace spillway::engine
