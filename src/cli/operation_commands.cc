#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/export_flags.h"
#include "cli/messages.h"
#include "cli/progress_bar.h"
#include "deployment/requests.h"
#include "settings/exports.h"

namespace spillway::cli {
namespace {

Outcome Operate(const Invocation& invocation, const std::string& section,
                const recipe::Operation& operation, const request::Texts& texts) {
  const auto parameters = request::ParametersOf(
      operation.form, texts,
      {.role = request::Role::kOperator, .at = SystemClock().Now(), .tick = std::nullopt});
  if (!parameters.has_value())
    return std::unexpected(ToError(parameters.error(), FlagsOf(operation.form)));
  if (operation.check != nullptr) {
    const request::Problems problems = operation.check(*parameters);
    if (!problems.empty()) return std::unexpected(ToError(problems, FlagsOf(operation.form)));
  }
  const Settings settings = TRY(invocation.Load());
  std::unique_ptr<ProgressBar> bar;
  const auto show = [&bar](const std::string& title, const std::string& unit, int64_t done,
                           int64_t total) {
    if (bar == nullptr) bar = std::make_unique<ProgressBar>(title, unit);
    bar->Show(done, total, "");
  };
  const recipe::Report report =
      TRY(operation.run(settings.standing.at(section), *parameters, show));
  bar.reset();
  if (invocation.json) {
    PrintJson(nlohmann::ordered_json::parse(report.json));
  } else if (!invocation.quiet || operation.only_looks) {
    for (const std::string& line : report.lines) PrintLine(line);
  }
  return ExitCode::kSuccess;
}

}  // namespace

void AddOperations(CLI::App& program, const Invocation& invocation, Action& action) {
  for (const auto& definition : invocation.registry) {
    const auto standing = definition->standing();
    const std::vector<recipe::Operation> operations = definition->operations();
    if (!standing || operations.empty()) continue;
    CLI::App* command = program.add_subcommand(standing->name, std::string(definition->summary()));
    command->require_subcommand(1);
    command->footer(ExamplesOf(invocation.registry, standing->name));
    for (const recipe::Operation& operation : operations) {
      auto texts = std::make_shared<request::Texts>();
      CLI::App* subcommand = command->add_subcommand(operation.name, operation.help);
      for (const request::Field& field : operation.form.fields)
        AddField(*subcommand, field, field.help, *texts);
      const std::string examples =
          ExamplesOf(invocation.registry, standing->name + " " + operation.name);
      if (!examples.empty()) subcommand->footer(examples);
      subcommand->callback([texts, operation, section = standing->section, &invocation, &action] {
        action = [texts, operation, section, &invocation] {
          return Operate(invocation, section, operation, *texts);
        };
      });
    }
  }
}

}  // namespace spillway::cli
