#include "maintenance/timetable.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "engine/guarded.h"

namespace spillway::engine {
namespace {

using std::chrono::microseconds;

constexpr std::chrono::minutes kOnTime{1};
constexpr std::chrono::seconds kRetryMin{1};
constexpr std::chrono::seconds kRetryMax{300};

/// The next step of a schedule.
struct Step {
  Timestamp until;
  bool fires = false;  ///< There is a tick at `until`, and it fires. Those before it do not.
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
  if (!tick || *tick > now) return Step{.until = now};
  if (schedule.catch_up == CatchUp::kLast) {
    for (auto next = tick; next && *next <= now;) {
      tick = next;
      next = schedule.cron.Next(*next, schedule.zone);
    }
  }
  return Step{.until = *tick, .fires = true};
}

bool MayPass(const Error& error) {
  return error.retryable || error.code == ErrorCode::kUnavailable;
}

Result<recipe::Request> RequestAt(const Schedule& schedule, Timestamp tick) {
  return Guarded([&] { return schedule.request(tick); });
}

Error TooLate(const Schedule& schedule) {
  return {.code = ErrorCode::kUnavailable,
          .message = "not started within a minute of its tick, since ticks of export " +
                     schedule.export_name +
                     " took that long to start, or the state did not answer; catch_up: none "
                     "starts nothing later: set catch_up: last, or see in the worker's log what "
                     "was waited for"};
}

/// Makes it the firing of a failed job, which says what was asked for as far as that is known.
void GiveUp(const Schedule& schedule, const Error& error, store::Firing& firing) {
  const Result<recipe::Request> request = RequestAt(schedule, firing.until);
  Job job;
  job.export_name = schedule.export_name;
  job.recipe = schedule.recipe;
  job.tenant = schedule.organisation;
  job.group = schedule.export_name;
  job.parameters = request.has_value() ? request->parameters : "{}";
  job.requested_by = RequesterAt(schedule.name, firing.until);
  job.task_id = TaskId(job.export_name, job.tenant, job.parameters);
  firing.job = std::move(job);
  firing.failure = error;
}

}  // namespace

std::string RequesterAt(std::string_view schedule, Timestamp tick) {
  return "schedule " + std::string(schedule) + ", " + FormatTimestamp(tick);
}

Timetable::Timetable(Engine& engine, store::JobStore& store, Clock& clock, Log& log,
                     std::vector<Schedule> schedules)
    : engine_(engine),
      store_(store),
      clock_(clock),
      log_(log),
      last_look_{clock.Now(), clock.Now()},
      look_from_(clock.Now()),
      awake_from_(clock.Awake()) {
  for (Schedule& schedule : schedules) entries_.push_back({.schedule = std::move(schedule)});
}

Result<> Timetable::MakeJob(Entry& entry, Timestamp now, store::Firing& firing) {
  const Schedule& schedule = entry.schedule;
  const Result<recipe::Request> request = RequestAt(schedule, firing.until);
  Result<Job> job = request.has_value() ? engine_.JobOf(schedule.recipe, *request)
                                        : Result<Job>(std::unexpected(request.error()));
  if (job.has_value()) {
    firing.job = *std::move(job);
    return {};
  }
  if (job.error().code == ErrorCode::kCancelled) return std::unexpected(job.error());
  if (MayPass(job.error())) {
    if (!entry.trouble || entry.trouble->tick != firing.until) entry.failing_since.reset();
    if (!entry.failing_since) entry.failing_since = now;
    const auto next = schedule.cron.Next(firing.until, schedule.zone);
    if (!next || now - *entry.failing_since < *next - firing.until)
      return std::unexpected(job.error());
  }
  GiveUp(schedule, job.error(), firing);
  return {};
}

std::optional<Timestamp> Timetable::Missed(const Schedule& schedule, Timestamp settled,
                                           Timestamp before) const {
  if (schedule.catch_up != CatchUp::kNone) return std::nullopt;
  auto tick = schedule.cron.Next(std::max(settled, last_look_.from), schedule.zone);
  // What was late when this look began, and came after the last one, came while the process stood
  // still.
  const Timestamp late = look_from_ - kOnTime - microseconds(1);
  if (tick && *tick > last_look_.until && *tick <= late)
    tick = schedule.cron.Next(std::max(settled, late), schedule.zone);
  return tick && *tick < before ? tick : std::nullopt;
}

void Timetable::Report(const Schedule& schedule, const store::Firing& firing,
                       const store::Fired& fired) {
  const auto first = schedule.cron.Next(*firing.after, schedule.zone);
  if (!firing.job || (first && *first < firing.until)) {
    log_.Warning("ticks passed over", {{"schedule", schedule.name},
                                       {"after", FormatTimestamp(*firing.after)},
                                       {"until", FormatTimestamp(firing.until)}});
  }
  if (firing.failure) {
    log_.Error("schedule failed", {{"schedule", schedule.name},
                                   {"tick", FormatTimestamp(firing.until)},
                                   {"job", fired.job->id},
                                   {"error", firing.failure->message}});
  } else if (fired.job) {
    log_.Info("schedule fired", {{"schedule", schedule.name},
                                 {"tick", FormatTimestamp(firing.until)},
                                 {"job", fired.job->id}});
  }
}

Result<int64_t> Timetable::FireDue(Entry& entry, Timestamp now) {
  const Schedule& schedule = entry.schedule;
  std::optional<Timestamp>& settled = entry.settled_until;
  entry.tick.reset();
  if (!settled) {
    const store::Fired begun = TRY(store_.Fire({.schedule = schedule.name, .until = now}));
    if (begun.applied) settled = now;
    return 0;
  }
  int64_t fired = 0;
  while (const std::optional<Step> step = NextStep(schedule, *settled, now)) {
    store::Firing firing{.schedule = schedule.name, .after = settled, .until = step->until};
    const std::optional<Timestamp> tried = entry.trouble ? entry.trouble->tick : std::nullopt;
    if (tried && *settled < *tried && *tried < step->until) {  // It would be passed over.
      firing.until = *tried;
      entry.tick = tried;
      GiveUp(schedule, entry.trouble->error, firing);
    } else if (const auto missed = Missed(schedule, *settled, step->until)) {
      firing.until = *missed;
      entry.tick = missed;
      GiveUp(schedule, TooLate(schedule), firing);
    } else if (step->fires) {
      entry.tick = step->until;
      TRY(MakeJob(entry, now, firing));
    }
    const Result<store::Fired> answer = engine_.Fire(firing);
    if (!answer.has_value()) {
      entry.failing_since.reset();
      return std::unexpected(answer.error());
    }
    const store::Fired& settlement = *answer;
    if (!settlement.applied) {  // Somebody else was faster; what is left is seen at the next look.
      settled.reset();
      break;
    }
    Report(schedule, firing, settlement);
    settled = firing.until;
    entry.trouble.reset();
    if (firing.job && !firing.failure) ++fired;
  }
  entry.trouble.reset();
  return fired;
}

void Timetable::PutOff(Entry& entry, Error error) {
  const Schedule& schedule = entry.schedule;
  const bool is_new = !entry.trouble || entry.trouble->tick != entry.tick;
  if (is_new) entry.trouble = Trouble{.tick = entry.tick, .error = {}};
  Trouble& trouble = *entry.trouble;
  if (is_new || trouble.error.message != error.message) {
    log_.Warning("schedule put off",
                 {{"schedule", schedule.name},
                  {"tick", entry.tick ? FormatTimestamp(*entry.tick) : std::string()},
                  {"error", error.message}});
  }
  const auto pause = std::max<microseconds>(
      std::min<microseconds>(kRetryMin * (1 << std::min(trouble.failures, 10)), kRetryMax),
      error.retry_after.value_or(std::chrono::milliseconds(0)));
  const Timestamp now = clock_.Now();  // The attempt may have taken long.
  const auto next = schedule.cron.Next(now, schedule.zone);
  trouble.again_at = next ? std::min(now + pause, *next) : now + pause;
  ++trouble.failures;
  trouble.error = std::move(error);
  entry.settled_until.reset();  // It may have been settled nevertheless.
}

void Timetable::PassOverSleep() {
  const Timestamp now = clock_.Now();
  const microseconds awake = clock_.Awake();
  if ((now - look_from_) - (awake - awake_from_) <= kOnTime) return;
  last_look_ = {.from = now, .until = now};
  look_from_ = now;
  awake_from_ = awake;
}

Result<> Timetable::ReadSettled() {
  Result<std::vector<store::ScheduleRecord>> records = store_.Schedules();
  if (!records.has_value()) {
    for (Entry& entry : entries_) entry.failing_since.reset();
    return std::unexpected(std::move(records).error());
  }
  std::map<std::string, Timestamp, std::less<>> settled;
  for (store::ScheduleRecord& record : *records)
    settled.emplace(std::move(record.name), record.settled_until);
  for (Entry& entry : entries_) {
    if (const auto found = settled.find(entry.schedule.name); found != settled.end())
      entry.settled_until = found->second;
  }
  return {};
}

Result<int64_t> Timetable::FireDue(const std::stop_token& stop) {
  look_from_ = clock_.Now();
  awake_from_ = clock_.Awake();
  std::vector<Entry*> due;
  for (Entry& entry : entries_) {
    if (!entry.trouble || entry.trouble->again_at <= look_from_) due.push_back(&entry);
  }
  if (std::ranges::any_of(due, [](const Entry* entry) { return !entry->settled_until; })) {
    if (Result<> read = ReadSettled(); !read.has_value()) {
      PassOverSleep();
      last_look_.until = clock_.Now();  // It was no time in which the process stood still.
      return std::unexpected(std::move(read).error());
    }
  }
  std::ranges::stable_partition(due, [](const Entry* entry) { return !entry->trouble; });
  int64_t fired = 0;
  for (Entry* entry : due) {
    if (stop.stop_requested()) break;
    PassOverSleep();
    const Result<int64_t> of_schedule = FireDue(*entry, clock_.Now());
    if (of_schedule.has_value()) {
      fired += *of_schedule;
    } else if (!stop.stop_requested()) {
      PutOff(*entry, of_schedule.error());
    }
  }
  PassOverSleep();
  last_look_ = {.from = look_from_, .until = clock_.Now()};
  return fired;
}

Result<> Timetable::Run(std::stop_token stop) {
  TRY(FireDue(stop));
  return {};
}

}  // namespace spillway::engine
