#include "recipe/open_data/rest.h"

#include <string_view>

#include <fmt/format.h>

#include "base/figures.h"

namespace spillway::recipe::open_data {
namespace {

/// By the index of pending days.
constexpr std::string_view kRest = R"sql(
  SELECT count(*) FILTER (WHERE log.has_error AND log.queued_on IS NULL),
         count(*) FILTER (WHERE s.recounting_since IS NOT NULL AND log.records <= 0 AND log.key IS NOT NULL),
         min(to_char(s.recounting_since, 'YYYY-MM-DD HH24:MI:SSOF'))
  FROM @schema@.open_data_settings s
  LEFT JOIN @schema@.open_data_export_logs log
    ON log.exported_on IS NULL OR log.modified_on > log.exported_on)sql";

std::string FailedLine(int64_t failed) {
  if (failed == 0) return "";
  return fmt::format(
      "{} location-day{} failed, in this run or before, and {} not exported; the operation "
      "`open-data status` says why, and the operation `open-data recount` has them tried again",
      Grouped(failed), failed == 1 ? "" : "s", failed == 1 ? "is" : "are");
}

std::string WaitingLine(int64_t waiting, std::string_view recounting_since) {
  if (waiting == 0) return "";
  return fmt::format(
      "{} location-day{} without readings wait{} for the end of the recount that began at {}; "
      "if it was broken off, run the operation `open-data recount` again",
      Grouped(waiting), waiting == 1 ? "" : "s", waiting == 1 ? "s" : "", recounting_since);
}

}  // namespace

Result<Remainder> LookForRest(LogSession& log) {
  const postgres::Rows rows = TRY(log.Execute(kRest));
  const int64_t failed = rows.Integer(0, 0);
  const int64_t waiting = rows.Integer(0, 1);
  return Remainder{.failed = failed,
                   .waiting = waiting,
                   .failed_line = FailedLine(failed),
                   .waiting_line = WaitingLine(waiting, rows.Text(0, 2))};
}

Result<Remainder> LookForRest(const Settings& settings) {
  LogSession log =
      TRY(LogSession::Open(settings, AddressOf(settings.database, settings.database.read)));
  return LookForRest(log);
}

}  // namespace spillway::recipe::open_data
