#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/messages.h"
#include "cli/open_data_database.h"
#include "cli/progress_bar.h"
#include "postgres/connection.h"
#include "postgres/transaction.h"
#include "recipe/open_data/migrations.h"

namespace spillway::cli {
namespace {

namespace od = recipe::open_data;

struct MigrateFlags {
  std::string as;
  std::string track;
};

Result<OpenDataSettings> LoadOpenData(const Invocation& invocation) {
  OpenDataSettings settings = TRY(invocation.Load()).open_data;
  TRY(CheckConfigured(settings));
  return settings;
}

/// As the owner of the log: the given address, or the writing role.
Result<std::unique_ptr<postgres::Connection>> Connect(const OpenDataSettings& settings,
                                                      const std::string& as) {
  return postgres::Connection::Open(
      as.empty() ? AddressOf(settings.database, settings.database.write) : as);
}

Outcome Migrate(const Invocation& invocation, const MigrateFlags& flags) {
  const OpenDataSettings settings = TRY(LoadOpenData(invocation));
  const auto connection = TRY(Connect(settings, flags.as));
  const int before = TRY(od::MigrateLog(*connection));
  const bool moved =
      TRY(od::SetDayBound(*connection, settings.day == DayBound::kTimeEnding)) && before > 0;
  TRY(od::SetSettle(*connection, settings.settle));
  const std::string owner = connection->user();
  const auto role = [&owner](const DatabaseLogin& login) {
    return login.user.empty() ? owner : login.user;
  };
  TRY(od::GrantLog(*connection, role(settings.database.read), role(settings.database.write)));
  if (!flags.track.empty()) {
    TRY(connection->Execute("SELECT open_data_track($1::regclass)", {flags.track}));
  }
  if (invocation.json) {
    PrintJson({{"version_before", before}, {"version", od::LogVersionKnown()}});
  } else if (!invocation.quiet) {
    PrintLine(before == od::LogVersionKnown()
                  ? fmt::format("the export log is up to date (version {})", before)
                  : fmt::format("the export log is now of version {}", od::LogVersionKnown()));
    if (!flags.track.empty()) PrintLine("changes of " + flags.track + " are tracked from now on");
    if (moved || !flags.track.empty()) {
      PrintLine("next: spillway open-data recount, for the readings that are there");
    }
  }
  return ExitCode::kSuccess;
}

Outcome Recount(const Invocation& invocation, const std::string& as) {
  const OpenDataSettings settings = TRY(LoadOpenData(invocation));
  const auto connection = TRY(Connect(settings, as));
  auto transaction = TRY(postgres::Transaction::Begin(*connection));
  const postgres::Rows rows = TRY(connection->Execute("SELECT open_data_recount()"));
  TRY(transaction.Commit());
  if (invocation.json) {
    PrintJson({{"days_changed", rows.Integer(0, 0)}});
  } else if (!invocation.quiet) {
    PrintLine(
        fmt::format("{} location-days have other readings than was logged; they are pending now",
                    Grouped(rows.Integer(0, 0))));
  }
  return ExitCode::kSuccess;
}

constexpr std::string_view kStates = R"sql(
  SELECT wanted.state, coalesce(s.days, 0), coalesce(s.records, 0), s.since::text,
         extract(epoch FROM now() - s.since)::bigint
  FROM unnest(ARRAY['pending', 'queued', 'exported', 'failed', 'open'])
    WITH ORDINALITY AS wanted (state, n)
  LEFT JOIN open_data_summary s USING (state) ORDER BY wanted.n)sql";

constexpr std::string_view kErrors = R"sql(
  SELECT sensor_nodes_id, day::text, metadata->>'error', attempts FROM open_data_export_logs
  WHERE has_error ORDER BY checked_on DESC LIMIT 10)sql";

std::string Meaning(std::string_view state) {
  if (state == "pending") return "over, and changed since their export";
  if (state == "queued") return "being exported";
  if (state == "exported") return "as their files";
  if (state == "failed") return "resting until they are tried again, or change";
  return "not over yet in their time zone, or not for as long as open_data.settle says";
}

Outcome Status(const Invocation& invocation) {
  const OpenDataSettings settings = TRY(LoadOpenData(invocation));
  const auto connection =
      TRY(postgres::Connection::Open(AddressOf(settings.database, settings.database.read)));
  TRY(od::CheckLog(*connection));
  const postgres::Rows states = TRY(connection->Execute(std::string(kStates)));
  const postgres::Rows errors = TRY(connection->Execute(std::string(kErrors)));
  if (invocation.json) {
    nlohmann::ordered_json json;
    for (int row = 0; row < states.size(); ++row) {
      const auto lag = states.IntegerOrNull(row, 4);
      json[std::string(states.Text(row, 0))] = {
          {"location_days", states.Integer(row, 1)},
          {"readings", states.Integer(row, 2)},
          {"oldest_seconds", lag.has_value() ? nlohmann::ordered_json(*lag) : nullptr}};
    }
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
  spillway run open-data
  spillway open-data status)");

  auto flags = std::make_shared<MigrateFlags>();
  CLI::App* migrate = command->add_subcommand(
      "migrate", "create or update the export log, its functions and the roles' rights");
  migrate->add_option("--as", flags->as,
                      "address of the database as its owner; else as the writing role");
  migrate->add_option("--track", flags->track, "a table of readings whose changes are logged");
  migrate->callback([flags, &invocation, &action] {
    action = [flags, &invocation] { return Migrate(invocation, *flags); };
  });

  auto as = std::make_shared<std::string>();
  CLI::App* recount = command->add_subcommand(
      "recount", "count all readings anew; days that were counted wrong become pending");
  recount->add_option("--as", *as,
                      "address of the database as its owner; else as the writing role");
  recount->callback([as, &invocation, &action] {
    action = [as, &invocation] { return Recount(invocation, *as); };
  });

  command->add_subcommand("status", "how many location-days are pending, queued, exported, failed")
      ->callback([&invocation, &action] { action = [&invocation] { return Status(invocation); }; });
}

}  // namespace spillway::cli
