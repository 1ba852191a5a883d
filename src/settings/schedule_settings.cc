#include "settings/schedule_settings.h"

#include "request/time_range.h"
#include "schedule/cron.h"
#include "settings/setting_checks.h"

namespace spillway {
namespace {

using config::Complaint;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

Complaint CheckCron(const std::string& text) {
  const auto cron = schedule::Cron::Parse(text);
  if (cron.has_value()) return std::nullopt;
  return "does not read, at " + cron.error().message;
}

}  // namespace

config::Section<ScheduleSettings> DeclareSchedule() {
  config::Section<ScheduleSettings> section;
  section.Field("export", &ScheduleSettings::export_name)
      .Help("What is run: the name of an export, or open-data.")
      .Required();
  section.Field("cron", &ScheduleSettings::cron)
      .Help(
          "When: minute, hour, day of the month, month, day of the week, as in crontab(5), or "
          "@hourly, @daily, @weekly, @monthly, @yearly. docs/schedules.md.")
      .Required()
      .Check(CheckCron);
  section.Field("time_zone", &ScheduleSettings::time_zone)
      .Help(
          "The IANA time zone of the cron expression, and, where there is a range, of its days "
          "and of the times and file names written; the export's unless set.")
      .Check(CheckTimeZone);
  section.Field("catch_up", &ScheduleSettings::catch_up)
      .Help("Which ticks are made up for that came while nothing ran.")
      .OneOf({{"none", CatchUpPolicy::kNone},
              {"last", CatchUpPolicy::kLast},
              {"all", CatchUpPolicy::kAll}});
  section.Field("catch_up_within", &ScheduleSettings::catch_up_within)
      .Help("Older ticks are passed over.")
      .Between(minutes(1), hours(366 * 24));
  section.Field("organisation", &ScheduleSettings::organisation)
      .Help("Whose messages are exported; of a query export, for whom it is.");
  section.Field("from", &ScheduleSettings::from)
      .Help(
          "Where the range begins: today, yesterday, today-7d, this-week, last-week, this-month, "
          "last-month, this-year, last-year, as of the tick; a day or an instant.");
  section.Field("to", &ScheduleSettings::to)
      .Help("Where the range ends, not included: the same, or now.");
  section.Field("through", &ScheduleSettings::through)
      .Help("In place of to: the day, week, month or year that is the last to be included.");
  section.Field("parameters", &ScheduleSettings::parameters)
      .Help("Of query_export: the values of the query's parameters. It has :tick by itself.");
  section.Field("limit", &ScheduleSettings::limit)
      .Help("Of open-data: location-days at most, 0 for whatever is pending; else its own limit.")
      .AtLeast(0);
  section.Field("time_limit", &ScheduleSettings::time_limit)
      .Help(
          "Of open-data: the run claims nothing more when this time nears its end, 0s for no "
          "limit; else its own time_limit.")
      .Between(seconds(0), hours(24 * 7));
  return section;
}

Result<TimeRange> RangeAt(const ScheduleSettings& schedule, std::string_view zone, Timestamp tick) {
  return ParseTimeRange({.from = schedule.from,
                         .to = schedule.to,
                         .through = schedule.through,
                         .time_zone = std::string(zone),
                         .now = tick});
}

}  // namespace spillway
