#include <chrono>
#include <span>
#include <sstream>

#include <CLI/CLI.hpp>
#include <date/date.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/messages.h"
#include "cli/open_data_log.h"
#include "cli/open_data_rest.h"
#include "cli/progress_bar.h"
#include "deployment/open_data_database.h"
#include "postgres/connection.h"
#include "postgres/transaction.h"
#include "recipe/open_data/day_format.h"
#include "recipe/open_data/migrations.h"

namespace spillway::cli {
namespace {

namespace od = recipe::open_data;

constexpr int kRecountAttempts = 5;

struct MigrateFlags {
  std::string as;
  std::vector<std::string> track;
  std::vector<std::string> untrack;
  std::string adopt;
};

struct MarkFlags {
  std::string as;
  std::vector<int64_t> locations;
  std::string from;
  std::string through;
  bool all = false;
};

Result<OpenDataSettings> LoadOpenData(const Invocation& invocation) {
  OpenDataSettings settings = TRY(invocation.Load()).open_data;
  TRY(CheckConfigured(settings));
  return settings;
}

Result<std::string> FormatsOf(const OpenDataSettings& settings) {
  std::vector<od::DayFormat> formats;
  for (const std::string& name : OptionsOf(settings).formats) {
    formats.push_back(TRY(od::DayFormat::Make(name)));
  }
  return od::FormatsOf(formats);
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
                      const std::vector<std::string>& formats) {
  const postgres::Rows found = TRY(log.Execute(kTheirLog, {table}));
  if (found.IsNull(0, 0)) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("there is no table {} to adopt; name it: --adopt=schema.table", table));
  }
  const std::string theirs(found.Text(0, 0));
  if (found.Boolean(0, 2)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is Spillway's own log, which has nothing to adopt; name the other "
                            "exporter's: --adopt=schema.table",
                            theirs));
  }
  if (!found.IsNull(0, 1)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is no log of exports: it lacks {}; name another: "
                            "--adopt=schema.table",
                            theirs, found.Text(0, 1)));
  }
  const std::vector<int64_t> locations =
      TRY(log.Numbers(fmt::format("SELECT DISTINCT sensor_nodes_id FROM {} ORDER BY 1", theirs)));
  Adopted adopted;
  TRY(log.InSlices(locations, "adopting", [&](std::span<const int64_t> slice) -> Result<> {
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
Result<std::vector<std::string>> Track(LogSession& log, const MigrateFlags& flags) {
  std::vector<std::string> untracked;
  for (const std::string& table : flags.untrack) {
    const postgres::Rows rows =
        TRY(log.Execute("SELECT @schema@.open_data_untrack($1::regclass)", {table}));
    untracked.push_back(table + (rows.Boolean(0, 0) ? " are tracked no longer"
                                                    : " were not tracked for this log before"));
  }
  for (const std::string& table : flags.track) {
    TRY(log.Execute("SELECT @schema@.open_data_track($1::regclass)", {table}));
  }
  // Partitions that were added since.
  TRY(log.Execute(
      "SELECT @schema@.open_data_track(tracked) FROM @schema@.open_data_tracked() AS tracked"));
  return untracked;
}

void PrintAdopted(const Adopted& adopted, const std::vector<std::string>& formats) {
  PrintLine(fmt::format("{} location-days that were exported before are taken over",
                        Grouped(adopted.days)));
  if (adopted.elsewhere > 0) {
    PrintLine(
        fmt::format("{} are not, for their files are not where those of format {} are; they are "
                    "exported again",
                    Grouped(adopted.elsewhere), fmt::join(formats, ", ")));
  }
  if (adopted.hidden > 0) {
    PrintLine(fmt::format(
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

Outcome Migrate(const Invocation& invocation, const MigrateFlags& flags) {
  const OpenDataSettings settings = TRY(LoadOpenData(invocation));
  const OpenDataDatabase& database = settings.database;
  LogSession log = TRY(LogSession::Open(settings, flags.as));
  const auto of_owner = [&]<class T>(Result<T> done) -> Result<T> {
    if (done.has_value()) return done;
    return std::unexpected(OfOwner(std::move(done).error(), log, "migrate", flags.as));
  };
  const int before = TRY(of_owner(od::MigrateLog(log.connection(), database.schema)));
  const bool moved =
      TRY(of_owner(od::SetDayBound(log.connection(), settings.day == DayBound::kTimeEnding,
                                   database.schema))) &&
      before > 0;
  if (settings.settle.has_value()) {
    TRY(of_owner(od::SetSettle(log.connection(), *settings.settle, database.schema)));
  }
  const std::string owner = log.connection().user();
  const auto role = [&owner](const DatabaseLogin& login) {
    return login.user.empty() ? owner : login.user;
  };
  TRY(of_owner(
      od::GrantLog(log.connection(), role(database.read), role(database.write), database.schema)));
  const std::vector<std::string> untracked = TRY(Track(log, flags));
  const std::vector<std::string> formats = OptionsOf(settings).formats;
  Adopted adopted;
  if (!flags.adopt.empty()) adopted = TRY(Adopt(log, flags.adopt, formats));
  if (invocation.json) {
    PrintJson({{"version_before", before},
               {"version", od::LogVersionKnown()},
               {"schema", log.schema()},
               {"days_adopted", adopted.days},
               {"days_elsewhere", adopted.elsewhere},
               {"days_hidden", adopted.hidden}});
  } else if (!invocation.quiet) {
    PrintLine(fmt::format("the export log in schema {} is {} version {}", log.schema(),
                          before == od::LogVersionKnown() ? "up to date:" : "now of",
                          od::LogVersionKnown()));
    for (const std::string& line : untracked) PrintLine("changes of " + line);
    for (const std::string& table : flags.track) {
      PrintLine("changes of " + table + " are tracked from now on");
    }
    if (!flags.adopt.empty()) {
      PrintAdopted(adopted, formats);
    }
    if (moved || !flags.track.empty() || !flags.adopt.empty()) {
      PrintLine("next: spillway open-data recount, for the readings that are there");
    }
  }
  return ExitCode::kSuccess;
}

/// Says when it began, as open_data_end_recount takes it.
Result<std::string> BeginRecount(LogSession& log) {
  const postgres::Rows rows =
      TRY(log.Execute("SELECT to_char(@schema@.open_data_begin_recount() AT TIME ZONE 'UTC', "
                      "'YYYY-MM-DD HH24:MI:SS.US+00')"));
  return std::string(rows.Text(0, 0));
}

Outcome Recount(const Invocation& invocation, const std::string& as) {
  const OpenDataSettings settings = TRY(LoadOpenData(invocation));
  LogSession log = TRY(LogSession::Open(settings, as));
  TRY(od::CheckLog(log.connection(), settings.database.schema));
  const std::string formats = TRY(FormatsOf(settings));
  const std::vector<int64_t> locations =
      TRY(log.Numbers("SELECT @schema@.open_data_known_locations()"));
  const Result<std::string> begun = BeginRecount(log);
  if (!begun.has_value()) return std::unexpected(OfOwner(begun.error(), log, "recount", as));
  int64_t marked = 0;
  int64_t retried = 0;
  Result<> counted =
      log.InSlices(locations, "recounting", [&](std::span<const int64_t> slice) -> Result<> {
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
  if (invocation.json) {
    PrintJson({{"days_changed", marked}, {"days_retried", retried}});
  } else if (!invocation.quiet) {
    PrintLine(fmt::format(
        "{} location-days have other readings than was logged, or files that were made otherwise; "
        "they are pending now, and the next run replaces their files",
        Grouped(marked)));
    if (retried > 0) {
      PrintLine(fmt::format("{} that had failed are tried again", Grouped(retried)));
    }
  }
  return ExitCode::kSuccess;
}

Result<> CheckDay(const std::string& flag, const std::string& text) {
  std::istringstream in(text);
  date::year_month_day day;
  in >> date::parse("%F", day);
  const bool is_whole = in.peek() == std::istringstream::traits_type::eof();
  if (text.empty() || (!in.fail() && is_whole && text.size() == 10)) return {};
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{}: {} is no day; write it as 2024-01-31", flag, text));
}

Result<> CheckMark(const MarkFlags& flags) {
  TRY(CheckDay("--from", flags.from));
  TRY(CheckDay("--through", flags.through));
  const bool has_days = !flags.from.empty() || !flags.through.empty();
  if (flags.all && (has_days || !flags.locations.empty())) {
    return Fail(ErrorCode::kInvalidArgument,
                "--all marks every day; leave --location, --from and --through out, or --all");
  }
  if (!flags.all && !has_days && flags.locations.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "say which days: --location, --from and --through, or --all");
  }
  if (!flags.from.empty() && !flags.through.empty() && flags.from > flags.through) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("--from {} is after --through {}; exchange them", flags.from, flags.through));
  }
  return {};
}

Outcome Mark(const Invocation& invocation, const MarkFlags& flags) {
  TRY(CheckMark(flags));
  const OpenDataSettings settings = TRY(LoadOpenData(invocation));
  LogSession log = TRY(LogSession::Open(settings, flags.as));
  TRY(od::CheckLog(log.connection(), settings.database.schema));
  std::vector<int64_t> locations = flags.locations;
  if (locations.empty()) {
    locations = TRY(log.Numbers("SELECT @schema@.open_data_known_locations()"));
  }
  int64_t marked = 0;
  int64_t early = 0;
  TRY(log.InSlices(locations, "marking", [&](std::span<const int64_t> slice) -> Result<> {
    const postgres::Rows rows =
        TRY(log.Execute("SELECT * FROM @schema@.open_data_mark($1::bigint[], nullif($2, '')::date, "
                        "nullif($3, '')::date)",
                        {slice, flags.from, flags.through}));
    marked += rows.Integer(0, 0);
    early += rows.Integer(0, 1);
    return {};
  }));
  if (marked == 0 && !flags.all) {
    return Fail(ErrorCode::kNotFound,
                "the export log has no such days with readings; see `spillway open-data status`");
  }
  if (invocation.json) {
    PrintJson({{"days_marked", marked}, {"days_open", early}});
  } else if (!invocation.quiet) {
    PrintLine(fmt::format("{} location-days are exported again by the next run",
                          Grouped(marked - early)));
    if (early > 0) {
      PrintLine(fmt::format("{} once they are over, and have settled", Grouped(early)));
    }
  }
  return ExitCode::kSuccess;
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

Outcome Status(const Invocation& invocation) {
  const OpenDataSettings settings = TRY(LoadOpenData(invocation));
  LogSession log =
      TRY(LogSession::Open(settings, AddressOf(settings.database, settings.database.read)));
  TRY(od::CheckLog(log.connection(), settings.database.schema));
  const postgres::Rows states = TRY(log.Execute(kStates));
  const postgres::Rows errors = TRY(log.Execute(kErrors));
  const OpenDataRest rest = TRY(LookForRest(log));
  if (invocation.json) {
    nlohmann::ordered_json json;
    for (int row = 0; row < states.size(); ++row) {
      const auto lag = states.IntegerOrNull(row, 4);
      json[std::string(states.Text(row, 0))] = {
          {"location_days", states.Integer(row, 1)},
          {"readings", states.Integer(row, 2)},
          {"oldest_seconds", lag.has_value() ? nlohmann::ordered_json(*lag) : nullptr}};
    }
    if (rest.waiting > 0) json["location_days_waiting"] = rest.waiting;
    json["errors"] = nlohmann::ordered_json::array();
    for (int row = 0; row < errors.size(); ++row) {
      json["errors"].push_back({{"sensor_nodes_id", errors.Integer(row, 0)},
                                {"day", errors.Text(row, 1)},
                                {"error", errors.Text(row, 2)},
                                {"attempts", errors.Integer(row, 3)}});
    }
    PrintJson(json);
    return ExitCode::kSuccess;
  }
  for (int row = 0; row < states.size(); ++row) {
    const std::string_view state = states.Text(row, 0);
    std::string line = fmt::format("{:<9} {:>12} location-days {:>15} readings   {}", state,
                                   Grouped(states.Integer(row, 1)), Grouped(states.Integer(row, 2)),
                                   Meaning(state));
    if (const auto lag = states.IntegerOrNull(row, 4); lag.has_value() && state != "open") {
      line += fmt::format("; the oldest for {}", ShortDuration(std::chrono::seconds(*lag)));
    }
    PrintLine(line);
  }
  if (rest.waiting > 0) PrintLine(rest.waiting_line());
  for (int row = 0; row < errors.size(); ++row) {
    PrintLine(fmt::format("location {}, {}: {} (attempt {})", errors.Integer(row, 0),
                          errors.Text(row, 1), errors.Text(row, 2), errors.Integer(row, 3)));
  }
  return ExitCode::kSuccess;
}

}  // namespace

void AddOpenData(CLI::App& program, const Invocation& invocation, Action& action) {
  CLI::App* command = program.add_subcommand(
      "open-data", "daily files that follow a PostgreSQL database's changes");
  command->require_subcommand(1);
  command->footer(R"(Examples:
  spillway open-data migrate --as postgres://owner@db/openaq --track measurements
  spillway open-data recount --as postgres://owner@db/openaq
  spillway open-data mark --location 12 --from 2024-01-01 --through 2024-01-31
  spillway run open-data
  spillway open-data status)");

  auto flags = std::make_shared<MigrateFlags>();
  CLI::App* migrate = command->add_subcommand(
      "migrate", "create or update the export log, its functions and the roles' rights");
  migrate->add_option("--as", flags->as,
                      "address of the database as its owner; else as the writing role");
  migrate->add_option("--track", flags->track,
                      "a table of readings whose changes are logged from now on");
  migrate->add_option("--untrack", flags->untrack, "a table whose changes are logged no longer");
  migrate->add_flag("--adopt{open_data_export_logs}", flags->adopt,
                    "take over what another exporter's log says is exported, --adopt=schema.table");
  migrate->callback([flags, &invocation, &action] {
    action = [flags, &invocation] { return Migrate(invocation, *flags); };
  });

  auto as = std::make_shared<std::string>();
  CLI::App* recount = command->add_subcommand("recount",
                                              "count all readings; days that were counted wrong, "
                                              "or whose files were made otherwise, become "
                                              "pending");
  recount->add_option("--as", *as,
                      "address of the database as the log's owner, who alone may; needed unless "
                      "that is the writing role");
  recount->callback([as, &invocation, &action] {
    action = [as, &invocation] { return Recount(invocation, *as); };
  });

  auto marked = std::make_shared<MarkFlags>();
  CLI::App* mark =
      command->add_subcommand("mark", "have days exported again, though nothing changed");
  mark->add_option("--location", marked->locations, "a location, by its number; again for more");
  mark->add_option("--from", marked->from,
                   "the first day, 2024-01-01; else from the first there is");
  mark->add_option("--through", marked->through, "the last day; else to the last there is");
  mark->add_flag("--all", marked->all, "every day of every location");
  mark->add_option("--as", marked->as, "address of the database; else as the writing role");
  mark->callback([marked, &invocation, &action] {
    action = [marked, &invocation] { return Mark(invocation, *marked); };
  });

  command->add_subcommand("status", "how many location-days are pending, queued, exported, failed")
      ->callback([&invocation, &action] { action = [&invocation] { return Status(invocation); }; });
}

}  // namespace spillway::cli
