#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/figures.h"
#include "cli/command.h"
#include "cli/export_flags.h"
#include "cli/messages.h"
#include "deployment/deployment.h"

namespace spillway::cli {
namespace {

std::string Line(const recipe::Survey::Reading& reading) {
  const auto shown = [&](int64_t amount) {
    return reading.in_bytes ? ShortBytes(static_cast<uint64_t>(amount)) : Grouped(amount);
  };
  return fmt::format("{:<14}{:>14} read {:>14} skipped", reading.what, shown(reading.read),
                     shown(reading.skipped));
}

void Print(const recipe::Survey& survey, std::string_view counts) {
  PrintLine(survey.of);
  for (const recipe::Survey::Reading& reading : survey.readings) PrintLine(Line(reading));
  PrintLine(fmt::format("{:<14}{:>14} {}, in {} chunk{}", counts, Grouped(survey.planned),
                        survey.how, survey.chunks, survey.chunks == 1 ? "" : "s"));
  if (survey.output_bytes.has_value()) {
    PrintLine(
        fmt::format("{:<14}{:>14} estimated, as CSV", "output", ShortBytes(*survey.output_bytes)));
  }
  for (const std::string& note : survey.notes) PrintLine(note);
  for (const std::string& column : survey.columns) PrintLine("  " + column);
}

Outcome PlanExport(const Invocation& invocation, const ExportFlags& flags) {
  const Settings settings = TRY(invocation.Load());
  Log log(LogLevel::kError, settings.log.format, STDERR_FILENO);
  const auto deployment = TRY(Deployment::OpenExisting(settings, invocation.registry, log));
  const ConfiguredExport exported =
      TRY(FindExport(settings, invocation.registry, flags.export_name()));
  const recipe::Request request = TRY(flags.ToRequest(exported, deployment->StandardOutput()));
  const recipe::Recipe* recipe = TRY(deployment->recipes().Find(exported.definition->name()));
  const recipe::CanonicalRequest canonical = TRY(recipe->Canonicalise(request));
  const recipe::Survey survey = TRY(recipe->Look(flags.export_name(), canonical, {}));
  if (invocation.json) {
    PrintJson(nlohmann::ordered_json::parse(survey.json));
  } else {
    Print(survey, recipe->counts());
  }
  return ExitCode::kSuccess;
}

}  // namespace

void AddPlan(CLI::App& program, const Invocation& invocation, Action& action) {
  auto flags = std::make_shared<ExportFlags>();
  CLI::App* command =
      program.add_subcommand("plan", "what an export would read, without running it");
  flags->AddTo(*command, invocation.registry);
  command->footer(ExamplesOf(invocation.registry, "plan"));
  command->callback([flags, &invocation, &action] {
    action = [flags, &invocation] { return PlanExport(invocation, *flags); };
  });
}

}  // namespace spillway::cli
