#include "recipe/open_data/operations.h"

#include <chrono>
#include <span>
#include <sstream>
#include <utility>

#include <date/date.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/figures.h"
#include "config/problem.h"
#include "postgres/connection.h"
#include "postgres/transaction.h"
#include "recipe/open_data/day_format.h"
#include "recipe/open_data/log_session.h"
#include "recipe/open_data/migrations.h"
#include "recipe/open_data/rest.h"

namespace spillway::recipe::open_data {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kRecountAttempts = 5;

Result<Settings> Configured(const config::AnyValue& settings) {
  Settings configured = settings.As<Settings>();
  TRY(CheckConfigured(configured));
  return configured;
}

Result<Json> Read(std::string_view parameters) {
  Json json = Json::parse(parameters, nullptr, /*allow_exceptions=*/false);
  if (json.is_object()) return json;
  return Fail(ErrorCode::kInvalidArgument, "parameters must be one JSON object");
}

std::vector<std::string> TextsOf(const Json& parameters, const char* name) {
  return parameters.value(name, std::vector<std::string>());
}

Result<std::string> FormatsText(const Settings& settings) {
  std::vector<DayFormat> formats;
  for (const std::string& name : OptionsOf(settings).formats) {
    formats.push_back(TRY(DayFormat::Make(name)));
  }
  return FormatsOf(formats);
}

constexpr std::string_view kTheirLog = R"sql(
  SELECT theirs::text,
         (SELECT string_agg(name, ', ') FROM unnest(ARRAY['sensor_nodes_id', 'day', 'records', 'modified_on',
                                                          'exported_on']) AS name
          WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = theirs AND attname = name)),
         theirs = '@schema@.open_data_export_logs'::regclass
  FROM coalesce(to_regclass($1), to_regclass('public.' || $1)) AS theirs)sql";

/// Location-days of another exporter's log, as open_data_adopt says.
struct Adopted {
  int64_t days = 0;
  int64_t elsewhere = 0;
  int64_t hidden = 0;
};

/// Takes over what another exporter's log says is exported, where its files are ours.
Result<Adopted> Adopt(LogSession& log, const std::string& table,
                      const std::vector<std::string>& formats, const ShowProgress& progress) {
  const postgres::Rows found = TRY(log.Execute(kTheirLog, {table}));
  if (found.IsNull(0, 0)) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("there is no table {} to adopt; name it as schema.table", table));
  }
  const std::string theirs(found.Text(0, 0));
  if (found.Boolean(0, 2)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is Spillway's own log, which has nothing to adopt; name the other "
                            "exporter's, as schema.table",
                            theirs));
  }
  if (!found.IsNull(0, 1)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is no log of exports: it lacks {}; name another, "
                            "as schema.table",
                            theirs, found.Text(0, 1)));
  }
  const std::vector<int64_t> locations =
      TRY(log.Numbers(fmt::format("SELECT DISTINCT sensor_nodes_id FROM {} ORDER BY 1", theirs)));
  Adopted adopted;
  TRY(log.InSlices(
      locations, "adopting", progress, [&](std::span<const int64_t> slice) -> Result<> {
        const postgres::Rows rows = TRY(log.Execute(
            "SELECT * FROM @schema@.open_data_adopt($1::regclass, $2::bigint[], $3::text[])",
            {theirs, slice, std::span<const std::string>(formats)}));
        adopted.days += rows.Integer(0, 0);
        adopted.elsewhere += rows.Integer(0, 1);
        adopted.hidden += rows.Integer(0, 2);
        return {};
      }));
  return adopted;
}

/// Returns what became of the tables that are to be tracked no longer.
Result<std::vector<std::string>> Track(LogSession& log, const std::vector<std::string>& track,
                                       const std::vector<std::string>& untrack) {
  std::vector<std::string> untracked;
  for (const std::string& table : untrack) {
    const postgres::Rows rows =
        TRY(log.Execute("SELECT @schema@.open_data_untrack($1::regclass)", {table}));
    untracked.push_back(table + (rows.Boolean(0, 0) ? " are tracked no longer"
                                                    : " were not tracked for this log before"));
  }
  for (const std::string& table : track) {
    TRY(log.Execute("SELECT @schema@.open_data_track($1::regclass)", {table}));
  }
  // Partitions that were added since.
  TRY(log.Execute(
      "SELECT @schema@.open_data_track(tracked) FROM @schema@.open_data_tracked() AS tracked"));
  return untracked;
}

void Tell(const Adopted& adopted, const std::vector<std::string>& formats,
          std::vector<std::string>& lines) {
  lines.push_back(fmt::format("{} location-days that were exported before are taken over",
                              Grouped(adopted.days)));
  if (adopted.elsewhere > 0) {
    lines.push_back(
        fmt::format("{} are not, for their files are not where those of format {} are; they are "
                    "exported again",
                    Grouped(adopted.elsewhere), fmt::join(formats, ", ")));
  }
  if (adopted.hidden > 0) {
    lines.push_back(fmt::format(
        "{} are not, for open_data_locations does not show their locations; their files stay",
        Grouped(adopted.hidden)));
  }
}

/// A role that may not migrate or recount is to be no role that may, but another is to be named.
Error OfOwner(Error error, LogSession& log, std::string_view command, const std::string& as) {
  if (error.code != ErrorCode::kPermissionDenied) return error;
  error.message = fmt::format(
      "{0} may not {1} the export log of {2}, which only its owner may; name the database as its "
      "owner: `spillway open-data {1} --as postgres://OWNER@HOST/DATABASE`{3}",
      log.connection().user(), command, log.connection().server(),
      as.empty() ? " (without --as it is the writing role)" : "");
  return error;
}

Result<Report> Migrate(const config::AnyValue& any, std::string_view parameters,
                       const ShowProgress& progress) {
  const Json asked = TRY(Read(parameters));
  const std::string as = asked.value("as", "");
  const std::string adopt = asked.value("adopt", "");
  const std::vector<std::string> track = TextsOf(asked, "track");
  const Settings settings = TRY(Configured(any));
  const Database& database = settings.database;
  LogSession log = TRY(LogSession::Open(settings, as));
  const auto of_owner = [&]<class T>(Result<T> done) -> Result<T> {
    if (done.has_value()) return done;
    return std::unexpected(OfOwner(std::move(done).error(), log, "migrate", as));
  };
  const int before = TRY(of_owner(MigrateLog(log.connection(), database.schema)));
  const bool moved =
      TRY(of_owner(
          SetDayBound(log.connection(), settings.day == DayBound::kTimeEnding, database.schema))) &&
      before > 0;
  if (settings.settle.has_value()) {
    TRY(of_owner(SetSettle(log.connection(), *settings.settle, database.schema)));
  }
  const std::string owner = log.connection().user();
  const auto role = [&owner](const Login& login) {
    return login.user.empty() ? owner : login.user;
  };
  TRY(of_owner(
      GrantLog(log.connection(), role(database.read), role(database.write), database.schema)));
  const std::vector<std::string> untracked = TRY(Track(log, track, TextsOf(asked, "untrack")));
  const std::vector<std::string> formats = OptionsOf(settings).formats;
  Adopted adopted;
  if (!adopt.empty()) adopted = TRY(Adopt(log, adopt, formats, progress));
  Report report;
  report.json = Json({{"version_before", before},
                      {"version", LogVersionKnown()},
                      {"schema", log.schema()},
                      {"days_adopted", adopted.days},
                      {"days_elsewhere", adopted.elsewhere},
                      {"days_hidden", adopted.hidden}})
                    .dump();
  report.lines.push_back(fmt::format("the export log in schema {} is {} version {}", log.schema(),
                                     before == LogVersionKnown() ? "up to date:" : "now of",
                                     LogVersionKnown()));
  for (const std::string& line : untracked) report.lines.push_back("changes of " + line);
  for (const std::string& table : track)
    report.lines.push_back("changes of " + table + " are tracked from now on");
  if (!adopt.empty()) Tell(adopted, formats, report.lines);
  if (moved || !track.empty() || !adopt.empty())
    report.lines.emplace_back("next: spillway open-data recount, for the readings that are there");
  return report;
}

/// Says when it began, as open_data_end_recount takes it.
Result<std::string> BeginRecount(LogSession& log) {
  const postgres::Rows rows =
      TRY(log.Execute("SELECT to_char(@schema@.open_data_begin_recount() AT TIME ZONE 'UTC', "
                      "'YYYY-MM-DD HH24:MI:SS.US+00')"));
  return std::string(rows.Text(0, 0));
}

Result<Report> Recount(const config::AnyValue& any, std::string_view parameters,
                       const ShowProgress& progress) {
  const std::string as = TRY(Read(parameters)).value("as", "");
  const Settings settings = TRY(Configured(any));
  LogSession log = TRY(LogSession::Open(settings, as));
  TRY(CheckLog(log.connection(), settings.database.schema));
  const std::string formats = TRY(FormatsText(settings));
  const std::vector<int64_t> locations =
      TRY(log.Numbers("SELECT @schema@.open_data_known_locations()"));
  const Result<std::string> begun = BeginRecount(log);
  if (!begun.has_value()) return std::unexpected(OfOwner(begun.error(), log, "recount", as));
  int64_t marked = 0;
  int64_t retried = 0;
  Result<> counted = log.InSlices(
      locations, "recounting", progress, [&](std::span<const int64_t> slice) -> Result<> {
        for (int attempt = 0; attempt < kRecountAttempts; ++attempt) {
          auto transaction = TRY(postgres::Transaction::Begin(log.connection()));
          const postgres::Rows rows = TRY(
              log.Execute("SELECT * FROM @schema@.open_data_recount_locations($1::bigint[], $2)",
                          {slice, formats}));
          TRY(transaction.Commit());
          marked += rows.Integer(0, 0);
          retried += rows.Integer(0, 2);
          if (rows.Integer(0, 1) == 0) break;
        }
        return {};
      });
  if (!counted.has_value())
    return std::unexpected(OfOwner(std::move(counted.error()), log, "recount", as));
  TRY(log.Execute("SELECT @schema@.open_data_end_recount($1::timestamptz)", {*begun}));
  Report report;
  report.json = Json({{"days_changed", marked}, {"days_retried", retried}}).dump();
  report.lines.push_back(fmt::format(
      "{} location-days have other readings than was logged, or files that were made otherwise; "
      "they are pending now, and the next run replaces their files",
      Grouped(marked)));
  if (retried > 0)
    report.lines.push_back(fmt::format("{} that had failed are tried again", Grouped(retried)));
  return report;
}

struct Marking {
  std::string as;
  std::vector<int64_t> locations;
  std::string from;
  std::string through;
  bool all = false;
};

Marking MarkingOf(const Json& asked) {
  return {.as = asked.value("as", ""),
          .locations = asked.value("location", std::vector<int64_t>()),
          .from = asked.value("from", ""),
          .through = asked.value("through", ""),
          .all = asked.value("all", false)};
}

bool IsDay(const std::string& text) {
  std::istringstream in(text);
  date::year_month_day day;
  in >> date::parse("%F", day);
  const bool is_whole = in.peek() == std::istringstream::traits_type::eof();
  return !in.fail() && is_whole && text.size() == 10;
}

request::Problems CheckMark(std::string_view parameters) {
  const Result<Json> asked = Read(parameters);
  if (!asked.has_value()) return {{.field = "", .message = asked.error().message}};
  const Marking marking = MarkingOf(*asked);
  request::Problems problems;
  for (const auto& [field, text] :
       {std::pair("from", marking.from), std::pair("through", marking.through)}) {
    if (!text.empty() && !IsDay(text))
      problems.push_back({field, "is " + config::Quoted(text) + "; use a day such as 2024-01-31"});
  }
  if (!problems.empty()) return problems;
  const bool has_days = !marking.from.empty() || !marking.through.empty();
  if (marking.all && (has_days || !marking.locations.empty()))
    return {{"all", "marks every day of every location; leave it out, or the locations and days"}};
  if (!marking.all && !has_days && marking.locations.empty())
    return {
        {"location", "is missing; give locations, a first or last day, or say that all are meant"}};
  if (!marking.from.empty() && !marking.through.empty() && marking.from > marking.through)
    return {{"from", fmt::format("is {}, after the last day {}; exchange them", marking.from,
                                 marking.through)}};
  return {};
}

Result<Report> Mark(const config::AnyValue& any, std::string_view parameters,
                    const ShowProgress& progress) {
  const Json asked = TRY(Read(parameters));
  const Marking marking = MarkingOf(asked);
  const Settings settings = TRY(Configured(any));
  LogSession log = TRY(LogSession::Open(settings, marking.as));
  TRY(CheckLog(log.connection(), settings.database.schema));
  std::vector<int64_t> locations = marking.locations;
  if (locations.empty()) {
    locations = TRY(log.Numbers("SELECT @schema@.open_data_known_locations()"));
  }
  int64_t marked = 0;
  int64_t early = 0;
  TRY(log.InSlices(locations, "marking", progress, [&](std::span<const int64_t> slice) -> Result<> {
    const postgres::Rows rows =
        TRY(log.Execute("SELECT * FROM @schema@.open_data_mark($1::bigint[], nullif($2, '')::date, "
                        "nullif($3, '')::date)",
                        {slice, marking.from, marking.through}));
    marked += rows.Integer(0, 0);
    early += rows.Integer(0, 1);
    return {};
  }));
  if (marked == 0 && !marking.all) {
    return Fail(ErrorCode::kNotFound,
                "the export log has no such days with readings; see `spillway open-data status`");
  }
  Report report;
  report.json = Json({{"days_marked", marked}, {"days_open", early}}).dump();
  report.lines.push_back(
      fmt::format("{} location-days are exported again by the next run", Grouped(marked - early)));
  if (early > 0) {
    report.lines.push_back(fmt::format("{} once they are over, and have settled", Grouped(early)));
  }
  return report;
}

constexpr std::string_view kStates = R"sql(
  SELECT wanted.state, coalesce(s.days, 0), coalesce(s.records, 0), s.since::text,
         extract(epoch FROM now() - s.since)::bigint
  FROM unnest(ARRAY['pending', 'queued', 'exported', 'failed', 'open'])
    WITH ORDINALITY AS wanted (state, n)
  LEFT JOIN @schema@.open_data_summary s USING (state) ORDER BY wanted.n)sql";

constexpr std::string_view kErrors = R"sql(
  SELECT sensor_nodes_id, day::text, metadata->>'error', attempts FROM @schema@.open_data_export_logs
  WHERE has_error ORDER BY checked_on DESC LIMIT 10)sql";

std::string Meaning(std::string_view state) {
  if (state == "pending")
    return "over, and changed since their export, or in doubt since an exporter was lost";
  if (state == "queued") return "being exported";
  if (state == "exported") return "as their files";
  if (state == "failed") return "resting until they are tried again, or change";
  return "not over yet in their time zone, or not for as long as open_data.settle says";
}

Result<Report> Status(const config::AnyValue& any, std::string_view /*parameters*/,
                      const ShowProgress& /*progress*/) {
  const Settings settings = TRY(Configured(any));
  LogSession log =
      TRY(LogSession::Open(settings, AddressOf(settings.database, settings.database.read)));
  TRY(CheckLog(log.connection(), settings.database.schema));
  const postgres::Rows states = TRY(log.Execute(kStates));
  const postgres::Rows errors = TRY(log.Execute(kErrors));
  const Remainder rest = TRY(LookForRest(log));
  Report report;
  Json json;
  for (int row = 0; row < states.size(); ++row) {
    const std::string_view state = states.Text(row, 0);
    const auto lag = states.IntegerOrNull(row, 4);
    json[std::string(state)] = {{"location_days", states.Integer(row, 1)},
                                {"readings", states.Integer(row, 2)},
                                {"oldest_seconds", lag.has_value() ? Json(*lag) : Json()}};
    std::string line = fmt::format("{:<9} {:>12} location-days {:>15} readings   {}", state,
                                   Grouped(states.Integer(row, 1)), Grouped(states.Integer(row, 2)),
                                   Meaning(state));
    if (lag.has_value() && state != "open")
      line += fmt::format("; the oldest for {}", ShortDuration(std::chrono::seconds(*lag)));
    report.lines.push_back(std::move(line));
  }
  if (rest.waiting > 0) {
    json["location_days_waiting"] = rest.waiting;
    report.lines.push_back(rest.waiting_line);
  }
  json["errors"] = Json::array();
  for (int row = 0; row < errors.size(); ++row) {
    json["errors"].push_back({{"sensor_nodes_id", errors.Integer(row, 0)},
                              {"day", errors.Text(row, 1)},
                              {"error", errors.Text(row, 2)},
                              {"attempts", errors.Integer(row, 3)}});
    report.lines.push_back(fmt::format("location {}, {}: {} (attempt {})", errors.Integer(row, 0),
                                       errors.Text(row, 1), errors.Text(row, 2),
                                       errors.Integer(row, 3)));
  }
  report.json = json.dump();
  return report;
}

request::Field As(std::string help) { return {.name = "as", .help = std::move(help)}; }

}  // namespace

std::vector<Operation> Operations() {
  using Kind = request::Field::Kind;
  return {
      {.name = "migrate",
       .help = "create or update the export log, its functions and the roles' rights",
       .form = {.of = "migrate",
                .fields = {As("address of the database as its owner; else as the writing role"),
                           {.name = "track",
                            .kind = Kind::kList,
                            .help = "a table of readings whose changes are logged from now on"},
                           {.name = "untrack",
                            .kind = Kind::kList,
                            .help = "a table whose changes are logged no longer"},
                           {.name = "adopt",
                            .help = "take over what another exporter's log says is exported; the "
                                    "log is open_data_export_logs, or else named as schema.table",
                            .if_bare = "open_data_export_logs"}}},
       .run = Migrate},
      {.name = "recount",
       .help = "count all readings; days that were counted wrong, or whose files were made "
               "otherwise, become pending",
       .form = {.of = "recount",
                .fields = {As("address of the database as the log's owner, who alone may; needed "
                              "unless that is the writing role")}},
       .run = Recount},
      {.name = "mark",
       .help = "have days exported again, though nothing changed",
       .form =
           {.of = "mark",
            .fields = {{.name = "location",
                        .kind = Kind::kCounts,
                        .help = "a location, by its number; again for more"},
                       {.name = "from",
                        .help = "the first day, 2024-01-01; else from the first there is",
                        .may_be_empty = true},
                       {.name = "through",
                        .help = "the last day; else to the last there is",
                        .may_be_empty = true},
                       {.name = "all", .kind = Kind::kFlag, .help = "every day of every location"},
                       As("address of the database; else as the writing role")}},
       .check = CheckMark,
       .run = Mark},
      {.name = "status",
       .help = "how many location-days are pending, queued, exported, failed",
       .form = {.of = "status"},
       .only_looks = true,
       .run = Status},
  };
}

}  // namespace spillway::recipe::open_data
