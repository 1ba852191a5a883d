#include "recipe/open_data/doctor.h"

#include <array>
#include <chrono>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/figures.h"
#include "config/checks.h"
#include "postgres/connection.h"
#include "recipe/open_data/migrations.h"
#include "recipe/open_data/rest.h"

namespace spillway::recipe::open_data {
namespace {

using postgres::Connection;
using postgres::Rows;

/// A view, its columns, and a statement that asks for them as an export does, but for no row.
struct View {
  const char* name;
  std::array<const char*, 5> columns;
  const char* probe;
};

constexpr std::array<View, 3> kViews = {{
    {"open_data_locations",
     {"sensor_nodes_id", "location", "lat", "lon", "time_zone"},
     "SELECT sensor_nodes_id::bigint, location::text, lat::float8, lon::float8, time_zone::text "
     "FROM "
     "open_data_locations LIMIT 0"},
    {"open_data_sensors",
     {"sensors_id", "sensor_nodes_id", "parameter", "units"},
     "SELECT sensors_id::bigint, sensor_nodes_id::bigint, parameter::text, units::text FROM "
     "open_data_sensors LIMIT 0"},
    {"open_data_measurements",
     {"sensors_id", "datetime", "value", "lat", "lon"},
     "SELECT sensors_id::bigint, datetime::timestamptz, value::float8, lat::float8, lon::float8 "
     "FROM "
     "open_data_measurements LIMIT 0"},
}};

constexpr const char* kUseSchema =
    "SELECT set_config('search_path', $1 || ', ' || current_setting('search_path'), false)";

/// Those of the names that are there and may not be read.
constexpr const char* kUnreadable = R"sql(
  SELECT string_agg(name, ', ') FROM unnest($1::text[]) AS name
  WHERE NOT coalesce(has_table_privilege(to_regclass(name), 'SELECT'), true))sql";

constexpr const char* kMissingColumns = R"sql(
  SELECT string_agg(name, ', ') FROM unnest($2::text[]) AS name
  WHERE NOT EXISTS (SELECT FROM pg_attribute
                    WHERE attrelid = to_regclass($1) AND attname = name AND NOT attisdropped))sql";

constexpr const char* kUncallable = R"sql(
  SELECT string_agg(name, ', ') FROM unnest($1::text[]) AS name
  WHERE NOT EXISTS (SELECT FROM pg_proc WHERE proname = name AND pg_function_is_visible(oid)
                                              AND has_function_privilege(oid, 'EXECUTE')))sql";

constexpr const char* kDoubles = R"sql(
  SELECT count(*), min({0}) FROM (SELECT {0} FROM {1} GROUP BY 1 HAVING count(*) > 1) AS doubles)sql";

constexpr const char* kZones = R"sql(
  SELECT zone, count(*), min(sensor_nodes_id), open_data_zone(zone) IS NOT NULL
  FROM (SELECT sensor_nodes_id, time_zone::text AS zone FROM open_data_locations) AS named
  GROUP BY zone ORDER BY 3)sql";

/// The tables that the view of readings shows and those that have triggers of the log's, with the
/// events that these see (tgtype's bits: 4, 8, 16 and 32); then what is below these, at any depth,
/// and has no triggers. Chunks of hypertables need none. Partitions are tracked with their table,
/// the last column.
constexpr const char* kTables = R"sql(
  WITH RECURSIVE shown (relation) AS (
    SELECT to_regclass('open_data_measurements')::oid
    UNION
    SELECT d.refobjid FROM shown
    JOIN pg_rewrite r ON r.ev_class = shown.relation
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                        AND d.refclassid = 'pg_class'::regclass
  ), tracked AS (
    SELECT t.tgrelid AS relation,
           bit_or(t.tgtype::int) FILTER (WHERE t.tgenabled IN ('O', 'A')) & 60 AS events
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE p.proname = 'open_data_track_changes' AND NOT t.tgisinternal AND t.tgparentid = 0
    GROUP BY 1
  ), below (relation) AS (
    SELECT relation FROM tracked WHERE NOT open_data_is_hypertable(relation)
    UNION
    SELECT inhrelid FROM below JOIN pg_inherits ON inhparent = below.relation
  )
  SELECT c.oid::regclass::text, tracked.relation IS NOT NULL, coalesce(tracked.events, 0) = 60,
         tracked.relation IS NULL AND c.oid IN (SELECT relation FROM below),
         coalesce(pg_partition_root(c.oid), c.oid::regclass)::text
  FROM pg_class c LEFT JOIN tracked ON tracked.relation = c.oid
  WHERE tracked.relation IS NOT NULL
    OR c.oid IN (SELECT relation FROM below) AND c.relkind IN ('r', 'p')
    OR c.oid IN (SELECT relation FROM shown) AND c.relkind IN ('r', 'p')
       AND (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
              AND a.attname IN ('sensors_id', 'datetime')) = 2
  ORDER BY 2 DESC, 1)sql";

constexpr const char* kDays = "SELECT state, days FROM open_data_summary";

std::string RoleOf(const Login& login) {
  return login.user.empty() ? "PostgreSQL's default role" : login.user;
}

class LogExamination {
 public:
  LogExamination(const Settings& settings, Examination& examination)
      : settings_(settings), examination_(examination) {}

  void Look() {
    read_ = Connect("reading as " + RoleOf(settings_.database.read), settings_.database.read);
    write_ = Connect("writing as " + RoleOf(settings_.database.write), settings_.database.write);
    bool log = false;
    for (const auto* connection : {&read_, &write_}) {
      if (log || *connection == nullptr) continue;
      log = examination_.Look("open data, log", [&] { return LookAtLog(**connection); });
      if (!log) break;
    }
    if (read_ != nullptr) LookAsReader(log);
    if (write_ != nullptr && log) {
      examination_.Look("open data, rights of " + write_->user(), [this] { return MayWrite(); });
    }
  }

 private:
  std::unique_ptr<Connection> Connect(const std::string& what, const Login& login) {
    std::unique_ptr<Connection> connection;
    examination_.Look("open data, " + what, [&]() -> Result<std::string> {
      connection = TRY(Connection::Open(
          AddressOf(settings_.database, login),
          {.application_name = "spillway doctor", .connect_timeout = std::chrono::seconds(5)}));
      TRY(connection->Execute("SET statement_timeout = '60s'"));
      const std::string schema = TRY(LogSchema(*connection, settings_.database.schema));
      TRY(connection->Execute(kUseSchema, {schema}));
      const int version = connection->server_version();
      return fmt::format("{}, version {}.{}", connection->server(), version / 10'000,
                         version % 10'000);
    });
    return connection;
  }

  template <class T>
  static Result<T> WithRemedy(Result<T> seen) {
    if (!seen.has_value() && seen.error().code == ErrorCode::kPermissionDenied) {
      seen.error().message +=
          "; the operation `open-data migrate`, run as the log's owner, grants the roles what they "
          "need";
    }
    return seen;
  }

  Result<std::string> LookAtLog(Connection& connection) const {
    TRY(WithRemedy(CheckLog(connection, settings_.database.schema)));
    return fmt::format("of version {}", LogVersionKnown());
  }

  void LookAsReader(bool log) {
    bool locations = false;
    for (const View& view : kViews) {
      const bool good = examination_.Look(std::string("open data, view ") + view.name,
                                          [&] { return LookAtView(view); });
      if (&view == &kViews.front()) locations = good;
      if (good && view.name != std::string_view("open_data_measurements")) LookForDoubles(view);
    }
    if (!log) return;
    const std::string rights = "open data, rights of " + read_->user();
    if (!examination_.Look(rights, [this] { return MayRead(); })) return;
    if (locations) examination_.Look("open data, time zones", [this] { return LookAtZones(); });
    LookAtTables();
    examination_.Look("open data, location-days", [this] { return LookAtDays(); });
  }

  Result<std::string> LookAtView(const View& view) {
    std::vector<std::string> columns;
    for (const char* column : view.columns) {
      if (column != nullptr) columns.emplace_back(column);
    }
    const Rows there = TRY(read_->Execute("SELECT to_regclass($1) IS NOT NULL", {view.name}));
    if (!there.Boolean(0, 0)) {
      return Fail(ErrorCode::kNotFound,
                  "is not there, or the role may not use its schema; create it as "
                  "docs/open-data.md shows, then run the operation `open-data migrate`");
    }
    const Rows missing =
        TRY(read_->Execute(kMissingColumns, {view.name, std::span<const std::string>(columns)}));
    if (!missing.IsNull(0, 0)) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("lacks {}; add it as docs/open-data.md shows", missing.Text(0, 0)));
    }
    TRY(WithRemedy(read_->Execute(view.probe)));
    return "has its columns, and can be read";
  }

  /// Of a location or sensor that a view has more than once no day can be exported.
  void LookForDoubles(const View& view) {
    const Result<Rows> doubles =
        read_->Execute(fmt::format(fmt::runtime(kDoubles), view.columns.front(), view.name));
    if (doubles.has_value() && doubles->Integer(0, 0) == 0) return;
    examination_.Look(std::string("open data, rows of ") + view.name, [&]() -> Result<std::string> {
      if (!doubles.has_value()) return std::unexpected(doubles.error());
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("{} of {} stand there more than once, {} the first; give each one row",
                      doubles->Integer(0, 0), view.columns.front(), doubles->Integer(0, 1)));
    });
  }

  Result<std::string> MayRead() {
    const Rows denied = TRY(read_->Execute(kUnreadable, {ReaderTables()}));
    if (denied.IsNull(0, 0)) return "may read the log";
    return Fail(ErrorCode::kPermissionDenied,
                fmt::format("may not read {}; the operation `open-data migrate`, run as the log's "
                            "owner, grants it",
                            denied.Text(0, 0)));
  }

  Result<std::string> MayWrite() {
    const Rows denied = TRY(write_->Execute(kUncallable, {WriterFunctions()}));
    if (denied.IsNull(0, 0)) return "may claim days and record them";
    return Fail(ErrorCode::kPermissionDenied,
                fmt::format("may not call {}; the operation `open-data migrate`, run as the log's "
                            "owner, grants it",
                            denied.Text(0, 0)));
  }

  Result<std::string> LookAtZones() {
    const Rows zones = TRY(read_->Execute(kZones));
    int64_t bad = 0;
    std::string first;
    for (int row = 0; row < zones.size(); ++row) {
      const std::string zone(zones.Text(row, 0));
      if (zones.Boolean(row, 3) && !config::CheckTimeZone(zone).has_value()) continue;
      bad += zones.Integer(row, 1);
      if (first.empty()) first = fmt::format("location {} has \"{}\"", zones.Integer(row, 2), zone);
    }
    if (bad == 0) return "every location has one that PostgreSQL and Spillway know";
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("locations without one that both PostgreSQL and Spillway know: {}, such as {}; "
                    "correct them in open_data_locations (names like Europe/Vienna), then run "
                    "the operation `open-data recount`",
                    Grouped(bad), first));
  }

  void LookAtTables() {
    const std::string what = "open data, changes";
    const Result<Rows> tables = read_->Execute(kTables);
    if (!tables.has_value()) {
      examination_.Look(what,
                        [&]() -> Result<std::string> { return std::unexpected(tables.error()); });
      return;
    }
    bool tracked = false;
    for (int row = 0; row < tables->size(); ++row) tracked |= tables->Boolean(row, 1);
    for (int row = 0; row < tables->size(); ++row) {
      const std::string name(tables->Text(row, 0));
      if (tables->Boolean(row, 1)) {
        examination_.Look(what, [&]() -> Result<std::string> {
          if (tables->Boolean(row, 2)) return "those of " + name + " are tracked";
          return Fail(ErrorCode::kConflict,
                      fmt::format("{} has lost or disabled triggers of the log, so changes go "
                                  "unseen; run the operation `open-data migrate` with track `{}`, "
                                  "then the operation `open-data recount`",
                                  name, tables->Text(row, 4)));
        });
      } else if (tables->Boolean(row, 3)) {
        examination_.Look(what, [&]() -> Result<std::string> {
          return Fail(
              ErrorCode::kConflict,
              fmt::format("{} belongs to a tracked table, but has no triggers of the log, so "
                          "what is written straight into it goes unseen; run the "
                          "operation `open-data migrate`, then the operation "
                          "`open-data recount`",
                          name));
        });
      } else {
        examination_.Note(what, Untracked(name, std::string(tables->Text(row, 4))));
      }
    }
    if (!tracked && tables->empty()) examination_.Note(what, Untracked("", "TABLE"));
  }

  static std::string Untracked(const std::string& table, const std::string& whole) {
    return fmt::format(
        "{} not tracked, so changes are seen only where your ingest calls open_data_changed; "
        "else run the operation `open-data migrate` with track `{}`",
        table.empty() ? "no table of readings is known, and none is" : table + " is", whole);
  }

  Result<std::string> LookAtDays() {
    TRY(CheckDayBound(*read_, settings_.day == DayBound::kTimeEnding, settings_.database.schema));
    if (settings_.settle.has_value()) {
      TRY(CheckSettle(*read_, *settings_.settle, settings_.database.schema));
    }
    const Rows rows = TRY(read_->Execute(kDays));
    int64_t pending = 0, queued = 0, failed = 0, exported = 0;
    for (int row = 0; row < rows.size(); ++row) {
      const std::string_view state = rows.Text(row, 0);
      const int64_t days = rows.Integer(row, 1);
      if (state == "pending") pending = days;
      if (state == "queued") queued = days;
      if (state == "failed") failed = days;
      if (state == "exported") exported = days;
    }
    const std::string counts =
        fmt::format("{} exported, {} pending, {} queued, {} failed", Grouped(exported),
                    Grouped(pending), Grouped(queued), Grouped(failed));
    if (const Remainder rest = TRY(LookForRest(settings_)); rest.waiting > 0)
      return Fail(ErrorCode::kConflict, counts + "; " + rest.waiting_line);
    if (failed > 0) {
      return Fail(ErrorCode::kConflict,
                  counts +
                      "; the operation `open-data status` says why the failed ones did; when that "
                      "is corrected, the operation `open-data recount` has them tried again");
    }
    return pending > 0 ? counts + "; the next run exports what is pending" : counts;
  }

  const Settings& settings_;
  Examination& examination_;
  std::unique_ptr<Connection> read_;
  std::unique_ptr<Connection> write_;
};

}  // namespace

void Examine(const Settings& settings, Examination& examination) {
  LogExamination(settings, examination).Look();
}

}  // namespace spillway::recipe::open_data
