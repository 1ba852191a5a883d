#pragma once

#include <chrono>
#include <functional>
#include <optional>
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
  /// They are passed over. What is not begun within a minute of its tick is not begun at all.
  kNone,
  kLast,  ///< The last one is fired, the others are passed over.
  kAll,   ///< Each is fired, in order.
};

/// An export that is run by the clock.
struct Schedule {
  std::string name;
  std::string export_name;
  std::string organisation;  ///< Empty: the export belongs to nobody.
  std::string recipe;
  schedule::Cron cron;
  TimeZone zone;
  CatchUp catch_up = CatchUp::kLast;
  std::chrono::milliseconds catch_up_within{86'400'000};  ///< Older ticks are passed over.
  /// What is asked for at a tick.
  std::function<Result<recipe::Request>(Timestamp tick)> request;
};

/// Who asks for the job of a tick: "schedule nightly, 2026-03-29T01:00:00.000000Z".
std::string RequesterAt(std::string_view schedule, Timestamp tick);

/// E10. Fires schedules. Any number of processes may run one on the same state: a tick is fired in
/// the step that settles it in the store, by one of them. A schedule that is new begins with the
/// first tick after the first look.
///
/// A tick whose job cannot be made leaves a failed job, which says why. If the reason may pass, the
/// tick stays due first: it is tried again after a second, then two, four and so on up to five
/// minutes, until the next tick comes (ADR 24). Time in which the state does not answer is not
/// counted. Used by one thread.
class Timetable final : public Service {
 public:
  Timetable(Engine& engine, store::JobStore& store, Clock& clock, Log& log,
            std::vector<Schedule> schedules);

  /// Fires what is due; returns how many jobs this made that can run. The error of one schedule is
  /// logged and does not stop the others; those that failed the last time come last. An error is
  /// one of the state: nothing can be fired. After `stop`, what is left stays due.
  Result<int64_t> FireDue(const std::stop_token& stop = {});

  std::string_view name() const override { return "timetable"; }
  std::chrono::milliseconds period() const override { return std::chrono::milliseconds(500); }
  /// As FireDue.
  Result<> Run(std::stop_token stop) override;

 private:
  /// A schedule could not be fired.
  struct Trouble {
    std::optional<Timestamp> tick;  ///< None: before any tick was tried.
    Error error;                    ///< Of the last attempt.
    int failures = 0;
    Timestamp again_at;
  };

  /// From when to when entries were looked at; long where attempts wait for something.
  struct Look {
    Timestamp from;
    Timestamp until;
  };

  struct Entry {
    Schedule schedule;
    /// Up to where the store said it is settled, when last asked; none: to be asked.
    std::optional<Timestamp> settled_until;
    std::optional<Timestamp> tick;  ///< The one that is being fired.
    std::optional<Trouble> trouble;
    /// Since when the job of the trouble's tick cannot be made, counted anew after the state has not
    /// answered.
    std::optional<Timestamp> failing_since;
  };

  /// Begins the look anew where the machine has slept since it began: ticks that came meanwhile came
  /// between two looks.
  void PassOverSleep();
  /// Asks the store up to where each schedule is settled.
  Result<> ReadSettled();
  Result<int64_t> FireDue(Entry& entry, Timestamp now);
  /// The first tick between the two that came while other ticks were being fired, in the last look
  /// or in this one, so that it was not begun within a minute.
  std::optional<Timestamp> Missed(const Schedule& schedule, Timestamp settled,
                                  Timestamp before) const;
  /// Puts the job of the tick into the firing, as failed if it cannot be made. An error: it may be
  /// possible to make it later.
  Result<> MakeJob(Entry& entry, Timestamp now, store::Firing& firing);
  void PutOff(Entry& entry, Error error);
  void Report(const Schedule& schedule, const store::Firing& firing, const store::Fired& fired);

  Engine& engine_;
  store::JobStore& store_;
  Clock& clock_;
  Log& log_;
  std::vector<Entry> entries_;
  Look last_look_;
  // Of the look that is under way:
  Timestamp look_from_;
  std::chrono::microseconds awake_from_;  ///< By Clock::Awake.
};

}  // namespace spillway::engine
