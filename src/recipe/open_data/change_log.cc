#include "recipe/open_data/change_log.h"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "recipe/open_data/migrations.h"

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

std::string Describe(const ExportedDay& day, const std::string& claim) {
  nlohmann::json described{{"job", claim},
                           {"rows", day.rows},
                           {"parameters", day.parameters},
                           {"time_zone", day.time_zone},
                           {"day_bound", day.day_bound},
                           {"made_of", day.made_of},
                           {"formats", day.formats},
                           {"files", day.files}};
  if (day.kept) described["kept"] = true;
  if (day.removed > 0) described["removed"] = day.removed;
  return described.dump();
}

/// Of the advisory locks that show whose session lives; see migrations/0008_export.sql.
constexpr std::string_view kLifeLock = "(1399876727, hashtext($1))";

}  // namespace

Result<Rows> ChangeLog::Execute(std::string_view sql, std::initializer_list<Parameter> parameters,
                                const std::stop_token& stop) {
  if (!commits_read_.has_value()) {
    const Rows rows = TRY(connection_.Execute(
        "SELECT current_setting('default_transaction_isolation') = 'read committed'", {}, stop));
    commits_read_ = rows.Boolean(0, 0);
  }
  if (*commits_read_) return connection_.Execute(WithSchema(sql, schema_), parameters, stop);
  // Not as a setting of the session, which through a pooler is others' too.
  TRY(connection_.Execute("BEGIN ISOLATION LEVEL READ COMMITTED", {}, stop));
  Result<Rows> rows = connection_.Execute(WithSchema(sql, schema_), parameters, stop);
  if (rows.has_value()) {
    TRY(connection_.Execute("COMMIT"));
  } else {
    connection_.Rollback();
  }
  return rows;
}

Result<> ChangeLog::NoteLost(const std::stop_token& stop) {
  TRY(Execute("SELECT @schema@.open_data_note_lost()", {}, stop));
  return {};
}

Result<int64_t> ChangeLog::CountPending(int64_t limit, const std::stop_token& stop) {
  const Rows rows = TRY(Execute(
      "SELECT @schema@.open_data_count_pending($1, $2, $3, $4)",
      {limit, Interval(policy_.abandoned_after), policy_.attempts, Interval(policy_.retry_pause)},
      stop));
  return rows.Integer(0, 0);
}

Result<std::string> ChangeLog::Now(const std::stop_token& stop) {
  const Rows rows = TRY(
      Execute("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00')",
              {}, stop));
  return std::string(rows.Text(0, 0));
}

/// Through a pooler the session's locks would be others' too: then nothing is shown.
Result<> ChangeLog::ShowLife(const std::stop_token& stop) {
  if (!claim_.empty()) return {};
  const std::string claim = claimant_.work + "#" + claimant_.attempt;
  if (!TRY(connection_.IsDirect(stop))) {
    shown_ = claim_ = claim;
    return {};
  }
  TRY(connection_.Execute(fmt::format("SELECT pg_advisory_lock_shared{}", kLifeLock), {claim + "!"},
                          stop));
  shown_ = claim_ = claim + "!";
  return {};
}

Result<std::vector<LocationDay>> ChangeLog::Claim(int64_t limit, const std::string& untouched_since,
                                                  const std::stop_token& stop) {
  TRY(ShowLife(stop));
  TRY(NoteLost(stop));
  const Rows rows =
      TRY(Execute("SELECT sensor_nodes_id, @schema@.open_data_day_text(day) "
                  "FROM @schema@.get_pending($1, $2, $3, $4, $5, $6) ORDER BY 1, 2",
                  {limit, claim_, Interval(policy_.abandoned_after), policy_.attempts,
                   Interval(policy_.retry_pause), untouched_since},
                  stop));
  return DaysOf(rows);
}

Result<std::set<LocationDay>> ChangeLog::Hold(std::span<const LocationDay> days,
                                              const std::stop_token& stop) {
  Columns columns;
  for (const LocationDay& day : days) columns.Add(day);
  const Rows rows =
      TRY(Execute("SELECT sensor_nodes_id, @schema@.open_data_day_text(day) FROM "
                  "@schema@.open_data_hold($1, $2, $3, $4)",
                  {claim_, std::span<const int64_t>(columns.locations),
                   std::span<const std::string>(columns.days), Interval(policy_.abandoned_after)},
                  stop));
  std::set<LocationDay> held = SetOf(rows);
  held_.insert(held.begin(), held.end());
  return held;
}

Result<std::set<LocationDay>> ChangeLog::RecordExported(std::span<const ExportedDay> days,
                                                        const std::stop_token& stop) {
  Columns columns;
  std::vector<std::string> seen, keys, descriptions;
  std::vector<int64_t> parameters;
  for (const ExportedDay& day : days) {
    columns.Add(day.id);
    seen.push_back(day.seen);
    keys.push_back(day.files.empty() ? "" : day.files.front().key);
    parameters.push_back(day.parameters);
    descriptions.push_back(Describe(day, claim_));
  }
  const Rows rows =
      TRY(Execute("SELECT sensor_nodes_id, @schema@.open_data_day_text(day) FROM "
                  "@schema@.open_data_exported($1, $2, $3, $4, "
                  "$5, $6, $7)",
                  {claim_, std::span<const int64_t>(columns.locations),
                   std::span<const std::string>(columns.days), std::span<const std::string>(seen),
                   std::span<const std::string>(keys), std::span<const int64_t>(parameters),
                   std::span<const std::string>(descriptions)},
                  stop));
  for (const ExportedDay& day : days) held_.erase(day.id);
  return SetOf(rows);
}

Result<> ChangeLog::RecordFailed(std::span<const FailedDay> days, const std::stop_token& stop) {
  if (days.empty()) return {};
  Columns columns;
  std::vector<std::string> classifications, errors;
  for (const FailedDay& day : days) {
    columns.Add(day.id);
    classifications.push_back(day.classification);
    errors.push_back(day.error);
  }
  TRY(Execute("SELECT @schema@.open_data_failed($1, $2, $3, $4, $5)",
              {claim_, std::span<const int64_t>(columns.locations),
               std::span<const std::string>(columns.days),
               std::span<const std::string>(classifications), std::span<const std::string>(errors)},
              stop));
  for (const FailedDay& day : days) held_.erase(day.id);
  return {};
}

Result<int64_t> ChangeLog::Recount(std::span<const LocationDay> days, const std::stop_token& stop) {
  Columns columns;
  for (const LocationDay& day : days) columns.Add(day);
  const Rows rows = TRY(Execute(
      "SELECT @schema@.open_data_recount_days($1, $2)",
      {std::span<const int64_t>(columns.locations), std::span<const std::string>(columns.days)},
      stop));
  return rows.Integer(0, 0);
}

Result<std::vector<LocationDay>> ChangeLog::MarkUnsure(const UnsureDays& unsure,
                                                       const std::stop_token& stop) {
  Columns columns;
  for (const LocationDay& day : unsure.days) columns.Add(day);
  const Rows locked =
      TRY(Execute("SELECT sensor_nodes_id, @schema@.open_data_day_text(day) FROM "
                  "@schema@.open_data_unsure($1, $2, $3)",
                  {unsure.claim, std::span<const int64_t>(columns.locations),
                   std::span<const std::string>(columns.days)},
                  stop));
  return DaysOf(locked);
}

Result<Removal> ChangeLog::LetRemove(std::span<const ExportedDay> days, int64_t most,
                                     const std::stop_token& stop) {
  Columns columns;
  std::vector<int64_t> files;
  for (const ExportedDay& day : days) {
    columns.Add(day.id);
    files.push_back(day.removed);
  }
  const Rows rows = TRY(
      Execute("SELECT @schema@.open_data_let_remove($1, $2, $3, $4, $5)",
              {claim_, std::span<const int64_t>(columns.locations),
               std::span<const std::string>(columns.days), std::span<const int64_t>(files), most},
              stop));
  if (rows.Text(0, 0) == "let") return Removal::kLet;
  return rows.Text(0, 0) == "recount" ? Removal::kRecounting : Removal::kTooMany;
}

Result<> ChangeLog::Release() {
  if (claim_.empty()) return {};
  const std::string claim = std::exchange(claim_, "");
  const auto released = Execute("SELECT @schema@.open_data_release($1)", {claim});
  if (claim.ends_with('!')) {
    TRY(connection_.Execute(fmt::format("SELECT pg_advisory_unlock_shared{}", kLifeLock), {claim}));
  }
  if (!released.has_value()) return std::unexpected(released.error());
  return {};
}

Result<SettledDays> ChangeLog::SettledSince(const std::string& since, const std::stop_token& stop) {
  const Rows rows = TRY(Execute(
      "SELECT sensor_nodes_id, @schema@.open_data_day_text(day), described, described->>'error', "
      "described->>'classification', described ? 'kept' FROM @schema@.open_data_done($1, "
      "$2) ORDER BY 1, 2",
      {claimant_.work, since}, stop));
  SettledDays settled;
  for (int row = 0; row < rows.size(); ++row) {
    LocationDay id{.location = rows.Integer(row, 0), .day = std::string(rows.Text(row, 1))};
    if (!rows.IsNull(row, 3)) {
      settled.failed.push_back({.id = std::move(id),
                                .classification = std::string(rows.Text(row, 4)),
                                .error = std::string(rows.Text(row, 3))});
      continue;
    }
    ExportedDay& day = settled.exported.emplace_back();
    day.id = std::move(id);
    day.files = TRY(FilesFromJson(rows.Text(row, 2)));
    day.kept = rows.Boolean(row, 5);
  }
  return settled;
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
