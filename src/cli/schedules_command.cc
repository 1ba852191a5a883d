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

Outcome List(const Invocation& invocation) {
  Log log(LogLevel::kError, LogFormat::kText, STDERR_FILENO);
  const Settings settings = TRY(invocation.Load());
  const auto deployment = TRY(Deployment::OpenExisting(settings, invocation.registry, log));
  std::map<std::string, store::ScheduleRecord> records;
  for (store::ScheduleRecord& record : TRY(deployment->store().Schedules())) {
    records.emplace(record.name, std::move(record));
  }
  const std::vector<engine::Schedule> schedules = TRY(SchedulesOf(settings, invocation.registry));
  const Timestamp now = deployment->clock().Now();
  Json listed = Json::array();
  for (const engine::Schedule& schedule : schedules) {
    const store::ScheduleRecord& record = records[schedule.name];
    const std::optional<Timestamp> next = schedule.cron.Next(now, schedule.zone);
    const std::string& export_name = settings.schedules.at(schedule.name).export_name;
    const auto time = [](const std::optional<Timestamp>& at) {
      return at ? Json(FormatTimestamp(*at)) : Json();
    };
    listed.push_back({{"name", schedule.name},
                      {"export", export_name},
                      {"cron", schedule.cron.text()},
                      {"in_words", schedule.cron.InWords()},
                      {"time_zone", schedule.zone.name()},
                      {"last", time(record.last_tick)},
                      {"last_job", record.last_job_id.empty() ? Json() : Json(record.last_job_id)},
                      {"next", time(next)}});
    if (invocation.json) continue;
    PrintLine(fmt::format("{}: {} {}, {}", schedule.name, export_name, schedule.cron.InWords(),
                          schedule.zone.name()));
    PrintLine(fmt::format("  last {}{}, next {}", LocalTime(record.last_tick, schedule.zone),
                          record.last_job_id.empty() ? "" : " as job " + record.last_job_id,
                          LocalTime(next, schedule.zone)));
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
