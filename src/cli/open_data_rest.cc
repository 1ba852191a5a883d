#include "cli/open_data_rest.h"

#include <string_view>

#include <fmt/format.h>

#include "cli/messages.h"
#include "deployment/open_data_database.h"

namespace spillway::cli {
namespace {

/// By the index of pending days.
constexpr std::string_view kRest = R"sql(
  SELECT count(*) FILTER (WHERE log.has_error AND log.queued_on IS NULL),
         count(*) FILTER (WHERE s.recounting_since IS NOT NULL AND log.records <= 0 AND log.key IS NOT NULL),
         min(to_char(s.recounting_since, 'YYYY-MM-DD HH24:MI:SSOF'))
  FROM @schema@.open_data_settings s
  LEFT JOIN @schema@.open_data_export_logs log
    ON log.exported_on IS NULL OR log.modified_on > log.exported_on)sql";

}  // namespace

std::string OpenDataRest::failed_line() const {
  if (failed == 0) return "";
  return fmt::format(
      "{} location-day{} failed, in this run or before, and {} not exported; `spillway open-data "
      "status` says why, and `spillway open-data recount` has them tried again",
      Grouped(failed), failed == 1 ? "" : "s", failed == 1 ? "is" : "are");
}

std::string OpenDataRest::waiting_line() const {
  if (waiting == 0) return "";
  return fmt::format(
      "{} location-day{} without readings wait{} for the end of the recount that began at {}; "
      "if it was broken off, run `spillway open-data recount` again",
      Grouped(waiting), waiting == 1 ? "" : "s", waiting == 1 ? "s" : "", recounting_since);
}

Result<OpenDataRest> LookForRest(LogSession& log) {
  const postgres::Rows rows = TRY(log.Execute(kRest));
  return OpenDataRest{.failed = rows.Integer(0, 0),
                      .waiting = rows.Integer(0, 1),
                      .recounting_since = std::string(rows.Text(0, 2))};
}

Result<OpenDataRest> LookForRest(const OpenDataSettings& settings) {
  LogSession log =
      TRY(LogSession::Open(settings, AddressOf(settings.database, settings.database.read)));
  return LookForRest(log);
}

}  // namespace spillway::cli
