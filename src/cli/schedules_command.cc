#include <map>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/messages.h"
#include "deployment/deployment.h"
#include "deployment/schedules.h"

namespace spillway::cli {
namespace {

using Json = nlohmann::ordered_json;

/// The time in the zone: "2026-03-29 03:00 CEST".
std::string LocalTime(const std::optional<Timestamp>& at, const TimeZone& zone) {
  if (!at) return "never";
  const OffsetSpan span = zone.SpanAt(date::floor<std::chrono::seconds>(*at));
  return date::format("%F %H:%M ", date::floor<std::chrono::minutes>(zone.LocalTimeAt(*at))) +
         std::string(span.abbreviation);
}

/// Where a schedule stands.
struct Standing {
  std::optional<engine::Job> last;  ///< Of the last tick.
  std::optional<Timestamp> last_tick;
  std::optional<Timestamp> due;  ///< The oldest tick that has come and is not fired.
  std::optional<Timestamp> next;
};

Result<Standing> StandingOf(store::JobStore& store, const engine::Schedule& schedule,
                            const store::ScheduleRecord* record, Timestamp now) {
  Standing standing{.next = schedule.cron.Next(now, schedule.zone)};
  if (record == nullptr) return standing;
  standing.last_tick = record->last_tick;
  if (!record->last_job_id.empty()) standing.last = TRY(store.Get(record->last_job_id));
  standing.due = schedule.cron.Next(record->settled_until, schedule.zone);
  if (standing.due > now) standing.due.reset();
  return standing;
}

Json ToJson(const engine::Schedule& schedule, const Standing& standing) {
  const auto time = [](const std::optional<Timestamp>& at) {
    return at ? Json(FormatTimestamp(*at)) : Json();
  };
  const std::optional<engine::Job>& last = standing.last;
  const bool failed = last && last->failure.has_value();
  return {{"name", schedule.name},
          {"export", schedule.export_name},
          {"cron", schedule.cron.text()},
          {"in_words", schedule.cron.InWords()},
          {"time_zone", schedule.zone.name()},
          {"last", time(standing.last_tick)},
          {"last_job", last ? Json(last->id) : Json()},
          {"last_state", last ? Json(Name(last->state)) : Json()},
          {"last_failure", failed ? Json(InCommands(last->failure->message)) : Json()},
          {"due", time(standing.due)},
          {"next", time(standing.next)}};
}

void Print(const engine::Schedule& schedule, const Standing& standing) {
  PrintLine(fmt::format("{}: {} {}, {}", schedule.name, schedule.export_name,
                        schedule.cron.InWords(), schedule.zone.name()));
  const std::optional<engine::Job>& last = standing.last;
  PrintLine(
      fmt::format("  last {}{}, next {}", LocalTime(standing.last_tick, schedule.zone),
                  last ? fmt::format(" as job {}, {}", last->id, Name(last->state)) : std::string(),
                  LocalTime(standing.next, schedule.zone)));
  if (last && last->failure) PrintLine("  failure: " + InCommands(last->failure->message));
  if (standing.due) {
    PrintLine(fmt::format(
        "  due since {}; `spillway worker --schedules` fires it, and logs why if it cannot yet",
        LocalTime(standing.due, schedule.zone)));
  }
}

Outcome List(const Invocation& invocation) {
  Log log(LogLevel::kError, LogFormat::kText, STDERR_FILENO);
  const Settings settings = TRY(invocation.Load());
  const auto deployment = TRY(Deployment::OpenExisting(settings, invocation.registry, log));
  if (const auto state = deployment->CheckState(); !state.has_value() && !invocation.quiet)
    PrintLine(state.error().message, stderr);
  store::JobStore& store = deployment->store();
  std::map<std::string, store::ScheduleRecord> records;
  for (store::ScheduleRecord& record : TRY(store.Schedules())) {
    records.emplace(record.name, std::move(record));
  }
  const std::vector<engine::Schedule> schedules = TRY(SchedulesOf(settings, invocation.registry));
  const Timestamp now = deployment->clock().Now();
  Json listed = Json::array();
  for (const engine::Schedule& schedule : schedules) {
    const auto record = records.find(schedule.name);
    const Standing standing =
        TRY(StandingOf(store, schedule, record == records.end() ? nullptr : &record->second, now));
    listed.push_back(ToJson(schedule, standing));
    if (!invocation.json) Print(schedule, standing);
  }
  if (invocation.json) {
    PrintJson({{"schedules", std::move(listed)}});
  } else if (schedules.empty()) {
    PrintLine("no schedules; the configuration's section schedules has none");
  }
  return ExitCode::kSuccess;
}

}  // namespace

void AddSchedules(CLI::App& program, const Invocation& invocation, Action& action) {
  CLI::App* command = program.add_subcommand(
      "schedules", "what runs by the clock: when it last did, and next will");
  command->footer(
      "`spillway worker --schedules` or `spillway serve --no-http` fires them.\n\n"
      "Examples:\n  spillway schedules\n  spillway --json schedules");
  command->callback(
      [&invocation, &action] { action = [&invocation] { return List(invocation); }; });
}

}  // namespace spillway::cli
