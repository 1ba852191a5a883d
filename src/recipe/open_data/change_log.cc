#include "recipe/open_data/change_log.h"

#include <array>

#include <nlohmann/json.hpp>

namespace spillway::recipe::open_data {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DayFile, key, rows, bytes, sha256)

namespace {

using postgres::Parameter;
using postgres::Rows;

/// Locations and days as two arrays, the way the functions take them.
struct Columns {
  std::vector<int64_t> locations;
  std::vector<std::string> days;

  void Add(const LocationDay& day) {
    locations.push_back(day.location);
    days.push_back(day.day);
  }
};

Parameter Interval(std::chrono::milliseconds duration) {
  return std::to_string(duration.count()) + " milliseconds";
}

std::vector<LocationDay> DaysOf(const Rows& rows) {
  std::vector<LocationDay> days;
  for (int row = 0; row < rows.size(); ++row) {
    days.push_back({.location = rows.Integer(row, 0), .day = std::string(rows.Text(row, 1))});
  }
  return days;
}

std::set<LocationDay> SetOf(const Rows& rows) {
  const std::vector<LocationDay> days = DaysOf(rows);
  return {days.begin(), days.end()};
}

std::string Describe(const ExportedDay& day, const std::string& claimant) {
  return nlohmann::json{
      {"job", claimant}, {"rows", day.rows}, {"parameters", day.parameters}, {"files", day.files}}
      .dump();
}

}  // namespace

Result<int64_t> ChangeLog::CountPending(int64_t limit, const std::stop_token& stop) {
  const Rows rows = TRY(connection_.Execute(
      "SELECT open_data_count_pending($1, $2, $3, $4)",
      {limit, Interval(policy_.abandoned_after), policy_.attempts, Interval(policy_.retry_pause)},
      stop));
  return rows.Integer(0, 0);
}

Result<std::vector<LocationDay>> ChangeLog::Claim(int64_t limit, const std::stop_token& stop) {
  const Rows rows = TRY(connection_.Execute(
      "SELECT sensor_nodes_id, day::text FROM get_pending($1, $2, $3, $4, $5) ORDER BY 1, 2",
      {limit, claimant_, Interval(policy_.abandoned_after), policy_.attempts,
       Interval(policy_.retry_pause)},
      stop));
  return DaysOf(rows);
}

Result<std::set<LocationDay>> ChangeLog::Hold(std::span<const LocationDay> days) {
  Columns columns;
  for (const LocationDay& day : days) columns.Add(day);
  const Rows rows =
      TRY(connection_.Execute("SELECT sensor_nodes_id, day::text FROM open_data_hold($1, $2, $3)",
                              {claimant_, std::span<const int64_t>(columns.locations),
                               std::span<const std::string>(columns.days)}));
  return SetOf(rows);
}

Result<std::set<LocationDay>> ChangeLog::RecordExported(std::span<const ExportedDay> days) {
  Columns columns;
  std::vector<std::string> seen, keys, descriptions;
  std::vector<int64_t> parameters;
  for (const ExportedDay& day : days) {
    columns.Add(day.id);
    seen.push_back(day.seen);
    keys.push_back(day.files.empty() ? "" : day.files.front().key);
    parameters.push_back(day.parameters);
    descriptions.push_back(Describe(day, claimant_));
  }
  const Rows rows = TRY(connection_.Execute(
      "SELECT sensor_nodes_id, day::text FROM open_data_exported($1, $2, $3, $4, $5, $6, $7)",
      {claimant_, std::span<const int64_t>(columns.locations),
       std::span<const std::string>(columns.days), std::span<const std::string>(seen),
       std::span<const std::string>(keys), std::span<const int64_t>(parameters),
       std::span<const std::string>(descriptions)}));
  return SetOf(rows);
}

Result<> ChangeLog::RecordFailed(std::span<const FailedDay> days) {
  if (days.empty()) return {};
  Columns columns;
  std::vector<std::string> errors;
  for (const FailedDay& day : days) {
    columns.Add(day.id);
    errors.push_back(day.error);
  }
  TRY(connection_.Execute(
      "SELECT open_data_failed($1, $2, $3, $4)",
      {claimant_, std::span<const int64_t>(columns.locations),
       std::span<const std::string>(columns.days), std::span<const std::string>(errors)}));
  return {};
}

Result<> ChangeLog::Release() {
  TRY(connection_.Execute("SELECT open_data_release($1)", {claimant_}));
  return {};
}

Result<std::vector<ExportedDay>> ChangeLog::ExportedSince(Timestamp since,
                                                          const std::stop_token& stop) {
  const Rows rows = TRY(connection_.Execute(
      "SELECT sensor_nodes_id, day::text, described FROM open_data_done($1, $2) ORDER BY 1, 2",
      {claimant_, FormatTimestamp(since)}, stop));
  std::vector<ExportedDay> days;
  for (int row = 0; row < rows.size(); ++row) {
    ExportedDay& day = days.emplace_back();
    day.id = {.location = rows.Integer(row, 0), .day = std::string(rows.Text(row, 1))};
    day.files = TRY(FilesFromJson(rows.Text(row, 2)));
  }
  return days;
}

Result<std::vector<DayFile>> FilesFromJson(std::string_view metadata) {
  try {
    const nlohmann::json json = nlohmann::json::parse(metadata);
    return json.value("files", std::vector<DayFile>{});
  } catch (const nlohmann::json::exception& broken) {
    return Fail(ErrorCode::kCorrupt,
                std::string("open_data_export_logs.metadata does not read: ") + broken.what());
  }
}

}  // namespace spillway::recipe::open_data
