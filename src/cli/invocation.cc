#include "cli/command.h"
#include "cli/messages.h"
#include "settings/settings_file.h"

namespace spillway::cli {

namespace {

std::unexpected<Error> Refused(const config::Problems& problems, bool json) {
  std::string all;
  for (const config::Problem& problem : problems) {
    const std::string line = config::ToString(problem);
    all += (all.empty() ? "" : "; ") + line;
    if (!json) PrintLine(line, stderr);
  }
  return Fail(ErrorCode::kInvalidArgument, json ? all : "");
}

}  // namespace

Result<Settings> Invocation::Load() const {
  // Absolute, since jobs record paths, and other processes work on them.
  std::error_code error;
  const std::filesystem::path file = std::filesystem::absolute(config, error).lexically_normal();
  const bool exists = !error && std::filesystem::exists(file, error);
  if (error) return std::unexpected(FromErrno(error.value(), "cannot read " + config.string()));
  if (!exists && config_given) {
    return Fail(ErrorCode::kNotFound,
                config.string() + ": there is no such file; `spillway init` writes one");
  }
  const auto variables = ReadVariables(env_file, file.parent_path());
  if (!variables) return Refused(variables.error(), json);
  auto settings = exists ? LoadSettings(file, *variables, registry)
                         : ParseSettings("", file, *variables, registry);
  if (!settings) return Refused(settings.error(), json);
  return *std::move(settings);
}

std::string Invocation::EnvFile() const {
  if (!env_file.empty()) return env_file.string();
  std::error_code error;
  const std::filesystem::path beside = config.parent_path() / ".env";
  return std::filesystem::is_regular_file(beside, error) ? beside.string() : "";
}

bool Invocation::HasFile() const {
  std::error_code error;
  return std::filesystem::exists(config, error);
}

std::string ExamplesOf(const recipe::Registry& registry, std::string_view command) {
  std::string examples;
  for (const auto& definition : registry) {
    for (const std::string& example : definition->examples()) {
      if (example.starts_with(command)) examples += "\n  spillway " + example;
    }
  }
  return examples.empty() ? examples : "Examples:" + examples;
}

}  // namespace spillway::cli
