#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/export_flags.h"
#include "cli/messages.h"
#include "cli/progress_bar.h"
#include "deployment/deployment.h"
#include "recipe/collected_plan.h"

namespace spillway::cli {
namespace {

/// What a row takes in CSV, as a multiple of what it takes in zstd Parquet: measured on message
/// lakes.
constexpr double kCsvPerParquetByte = 2.1;

std::string Line(std::string_view what, int64_t read, int64_t pruned) {
  return fmt::format("{:<12}{:>14} read {:>14} skipped", what, Grouped(read), Grouped(pruned));
}

Outcome PlanQuery(const Invocation& invocation, const ExportFlags& flags,
                  const recipe::QueryExport& queries, const recipe::Request& request) {
  const recipe::CanonicalRequest canonical = TRY(queries.Canonicalise(request));
  const recipe::QueryExport::Survey survey =
      TRY(queries.Look(flags.export_name, canonical.parameters, {}));
  const recipe::QuerySource& source = survey.source;
  if (invocation.json) {
    auto json = nlohmann::ordered_json::parse(TRY(ToJson(source)));
    json.erase("snapshot");  // It ends here.
    PrintJson(json);
    return ExitCode::kSuccess;
  }
  PrintLine(fmt::format("{} from {}", flags.export_name, source.server));
  PrintLine(fmt::format("{:<12}{:>14} exactly, in {} chunk{}", "rows", Grouped(source.rows),
                        source.splits, source.splits == 1 ? "" : "s"));
  if (!source.one_session.empty())
    PrintLine(fmt::format("one session reads all: {}", source.one_session));
  for (const std::string& table : source.policies)
    PrintLine(fmt::format("row security chooses the rows of {}", table));
  for (const std::string& function : source.policies_unseen_in)
    PrintLine(fmt::format("row security may hide rows from the function {}", function));
  for (const auto& column : source.columns)
    PrintLine(fmt::format("  {} {}{}", column.name, column.type_name,
                          column.cast_to_text ? ", as text" : ""));
  return ExitCode::kSuccess;
}

Outcome PlanOpenData(const Invocation& invocation, const OpenDataDatabase& database,
                     const recipe::OpenData& open_data, const recipe::Request& request) {
  const recipe::CanonicalRequest canonical = TRY(open_data.Canonicalise(request));
  recipe::CollectedPlan plan;
  const recipe::Planned planned =
      TRY(open_data.MakePlan({.id = "plan", .parameters = canonical.parameters}, plan, {}));
  if (invocation.json) {
    PrintJson({{"location_days", planned.planned}, {"chunks", plan.chunks.size()}});
    return ExitCode::kSuccess;
  }
  PrintLine(fmt::format("{} from {} at {}", kOpenData, database.name, database.host));
  PrintLine(fmt::format("{:<14}{:>12} pending now, in {} chunk{}", "location-days",
                        Grouped(planned.planned), plan.chunks.size(),
                        plan.chunks.size() == 1 ? "" : "s"));
  return ExitCode::kSuccess;
}

Outcome PlanExport(const Invocation& invocation, const ExportFlags& flags) {
  const Settings settings = TRY(invocation.Load());
  Log log(LogLevel::kError, settings.log.format, STDERR_FILENO);
  const auto deployment = TRY(Deployment::OpenExisting(settings, log));
  const std::string_view recipe = TRY(flags.RecipeOf(settings));
  const recipe::Request request = TRY(flags.ToRequest(settings, deployment->StandardOutput()));
  if (recipe == recipe::OpenData::kName)
    return PlanOpenData(invocation, settings.open_data.database, *deployment->open_data(), request);
  if (recipe == recipe::QueryExport::kName)
    return PlanQuery(invocation, flags, deployment->query_export(), request);
  const recipe::CanonicalRequest canonical =
      TRY(deployment->message_export().Canonicalise(request));
  const lake::ReadPlan plan = TRY(deployment->message_export().PlanOnly(canonical.parameters, {}));
  const auto estimate = static_cast<uint64_t>(static_cast<double>(plan.bytes) * kCsvPerParquetByte);
  if (invocation.json) {
    PrintJson({{"lake_version", plan.version},
               {"rows", plan.rows},
               {"chunks", plan.units.size()},
               {"partitions", {{"read", plan.partitions}, {"skipped", plan.partitions_pruned}}},
               {"files", {{"read", plan.files}, {"skipped", plan.files_pruned}}},
               {"row_groups", {{"read", plan.row_groups}, {"skipped", plan.row_groups_pruned}}},
               {"bytes", {{"read", plan.bytes}, {"skipped", plan.bytes_pruned}}},
               {"estimated_csv_bytes", estimate}});
    return ExitCode::kSuccess;
  }
  PrintLine(fmt::format("{} of {}, lake version {}", flags.export_name, flags.organisation,
                        plan.version));
  PrintLine(Line("partitions", plan.partitions, plan.partitions_pruned));
  PrintLine(Line("files", plan.files, plan.files_pruned));
  PrintLine(Line("row groups", plan.row_groups, plan.row_groups_pruned));
  PrintLine(fmt::format("{:<12}{:>14} read {:>14} skipped", "bytes", ShortBytes(plan.bytes),
                        ShortBytes(plan.bytes_pruned)));
  PrintLine(fmt::format("{:<12}{:>14} exactly, in {} chunk{}", "rows", Grouped(plan.rows),
                        plan.units.size(), plan.units.size() == 1 ? "" : "s"));
  PrintLine(fmt::format("{:<12}{:>14} estimated, as CSV", "output", ShortBytes(estimate)));
  return ExitCode::kSuccess;
}

}  // namespace

void AddPlan(CLI::App& program, const Invocation& invocation, Action& action) {
  auto flags = std::make_shared<ExportFlags>();
  CLI::App* command =
      program.add_subcommand("plan", "what an export would read, without running it");
  flags->AddTo(*command);
  command->footer(
      "Examples:\n  spillway plan messages -o acme --from 2025-01-01 --through 2025-01-31\n"
      "  spillway plan open-data");
  command->callback([flags, &invocation, &action] {
    action = [flags, &invocation] { return PlanExport(invocation, *flags); };
  });
}

}  // namespace spillway::cli
