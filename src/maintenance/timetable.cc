#include "maintenance/timetable.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace spillway::engine {
namespace {

using std::chrono::microseconds;

constexpr std::chrono::minutes kOnTime{1};
constexpr std::chrono::seconds kRetryMin{1};
constexpr std::chrono::seconds kRetryMax{30};  ///< A tick that is late by a minute is missed.

/// The next step of a schedule.
struct Step {
  Timestamp until;
  bool fires = false;
  bool passes_over = false;  ///< Ticks before `until` do not fire, or `until` itself.
};

/// None: no tick has come since `settled`.
std::optional<Step> NextStep(const Schedule& schedule, Timestamp settled, Timestamp now) {
  const std::optional<Timestamp> first = schedule.cron.Next(settled, schedule.zone);
  if (!first || *first > now) return std::nullopt;
  const microseconds within = schedule.catch_up == CatchUp::kNone
                                  ? microseconds(kOnTime)
                                  : std::max<microseconds>(schedule.catch_up_within, kOnTime);
  const Timestamp oldest = std::max(settled, now - within - microseconds(1));
  std::optional<Timestamp> tick = schedule.cron.Next(oldest, schedule.zone);
  if (!tick || *tick > now) return Step{.until = now, .passes_over = true};
  if (schedule.catch_up == CatchUp::kLast) {
    for (auto next = tick; next && *next <= now;) {
      tick = next;
      next = schedule.cron.Next(*next, schedule.zone);
    }
  }
  return Step{.until = *tick, .fires = true, .passes_over = *tick > *first};
}

}  // namespace

Result<int64_t> Timetable::FireDue(const Schedule& schedule, Timestamp now) {
  const auto settled = settled_until_.find(schedule.name);
  if (settled == settled_until_.end()) {
    const store::Fired begun = TRY(store_.Fire({.schedule = schedule.name, .until = now}));
    if (begun.applied) settled_until_[schedule.name] = now;
    return 0;
  }
  int64_t fired = 0;
  while (const std::optional<Step> step = NextStep(schedule, settled->second, now)) {
    store::Firing firing{.schedule = schedule.name, .after = settled->second, .until = step->until};
    store::Fired settlement;
    if (step->fires) {
      settlement = TRY(engine_.Fire(schedule.recipe, TRY(schedule.request(step->until)), firing));
    } else {
      settlement = TRY(store_.Fire(firing));
    }
    if (!settlement.applied) {  // Somebody else was faster; what is left is seen at the next look.
      settled_until_.erase(settled);
      break;
    }
    if (step->passes_over) {
      log_.Warning("ticks passed over", {{"schedule", schedule.name},
                                         {"after", FormatTimestamp(settled->second)},
                                         {"until", FormatTimestamp(step->until)}});
    }
    if (settlement.job) {
      ++fired;
      log_.Info("schedule fired", {{"schedule", schedule.name},
                                   {"tick", FormatTimestamp(step->until)},
                                   {"job", settlement.job->id}});
    }
    settled->second = step->until;
  }
  return fired;
}

Result<int64_t> Timetable::FireDue() {
  if (std::ranges::any_of(schedules_, [this](const Schedule& schedule) {
        return !settled_until_.contains(schedule.name);
      })) {
    for (const store::ScheduleRecord& record : TRY(store_.Schedules())) {
      settled_until_[record.name] = record.settled_until;
    }
  }
  const Timestamp now = clock_.Now();
  int64_t fired = 0;
  std::optional<Error> first;
  for (const Schedule& schedule : schedules_) {
    if (const auto retry = retries_.find(schedule.name);
        retry != retries_.end() && now < retry->second.at)
      continue;
    const Result<int64_t> of_schedule = FireDue(schedule, now);
    if (of_schedule.has_value()) {
      fired += *of_schedule;
      retries_.erase(schedule.name);
      continue;
    }
    Retry& retry = retries_[schedule.name];
    retry.at = now + std::min(kRetryMin * (1 << std::min(retry.failures, 10)), kRetryMax);
    ++retry.failures;
    settled_until_.erase(schedule.name);  // It may have been settled nevertheless.
    if (first) continue;
    first = Error(of_schedule.error()).Within("schedule " + schedule.name);
  }
  if (first) return std::unexpected(*std::move(first));
  return fired;
}

Result<> Timetable::Run(std::stop_token) {
  TRY(FireDue());
  return {};
}

}  // namespace spillway::engine
