#include "settings/schedule_settings.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "config/checks.h"
#include "schedule/cron.h"

namespace spillway {
namespace {

using config::Complaint;
using Kind = config::Outline::Kind;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

Complaint CheckCron(const std::string& text) {
  const auto cron = schedule::Cron::Parse(text);
  if (cron.has_value()) return std::nullopt;
  return "does not read, at " + cron.error().message;
}

/// The outline of a field that is kept as its texts.
config::Outline OutlineOf(const request::Field& field) {
  using FieldKind = request::Field::Kind;
  // For a text that may be empty, null is refused: the empty text or "NULL" in quotes is meant.
  config::Outline outline{.kind = Kind::kText,
                          .nullable = !field.may_be_empty,
                          .expectation = request::ExpectationOf(field)};
  switch (field.kind) {
    case FieldKind::kCount:
      outline.kind = Kind::kInteger;
      outline.least = std::to_string(field.least);
      break;
    case FieldKind::kSize:
      outline.kind = Kind::kSize;
      break;
    case FieldKind::kDuration:
      outline.kind = Kind::kDuration;
      break;
    case FieldKind::kFlag:
      outline.kind = Kind::kBoolean;
      break;
    case FieldKind::kChoice:
      outline.kind = Kind::kChoice;
      for (const auto& [name, value] : field.choices) outline.choices.push_back(name);
      break;
    case FieldKind::kList:
    case FieldKind::kCounts:
    case FieldKind::kColumns:
      outline.kind = Kind::kList;
      outline.element.push_back({.expectation = "a text"});
      break;
    case FieldKind::kValues:
      outline.kind = Kind::kMap;
      outline.element.push_back({.expectation = "a text"});
      break;
    case FieldKind::kPlace:
      outline.kind = Kind::kPath;
      break;
    case FieldKind::kText:
      break;
  }
  return outline;
}

std::string Sentence(std::string text) {
  text.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
  return text + ".";
}

}  // namespace

config::Section<ScheduleSettings> DeclareSchedule(const recipe::Registry& registry) {
  config::Section<ScheduleSettings> section;
  section.Field("export", &ScheduleSettings::export_name)
      .Help("The name of the export that is run.")
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
      .Check(config::CheckTimeZone);
  section.Field("catch_up", &ScheduleSettings::catch_up)
      .Help("Which ticks are made up for that came while nothing ran.")
      .OneOf({{"none", CatchUpPolicy::kNone},
              {"last", CatchUpPolicy::kLast},
              {"all", CatchUpPolicy::kAll}});
  section.Field("catch_up_within", &ScheduleSettings::catch_up_within)
      .Help("Older ticks are passed over.")
      .Between(minutes(1), hours(366 * 24));
  section.Field("organisation", &ScheduleSettings::organisation)
      .Help("The organisation that the export is of.");
  const std::vector<std::string> own = section.FieldNames();
  for (const recipe::FormField& each : recipe::FormFields(registry)) {
    if (std::ranges::find(own, each.field.name) != own.end()) continue;
    section.Texts(each.field.name, &ScheduleSettings::fields, OutlineOf(each.field),
                  Sentence(each.help()));
  }
  return section;
}

}  // namespace spillway
