#include <fmt/format.h>

#include "cli/command.h"
#include "cli/settings_file.h"

namespace spillway::cli {

Result<Settings> Invocation::Load() const {
  // Jobs record paths, and other processes work on them.
  const std::filesystem::path file = std::filesystem::absolute(config).lexically_normal();
  const bool exists = std::filesystem::exists(file);
  if (!exists && config_given) {
    return Fail(ErrorCode::kNotFound,
                config.string() + ": there is no such file; `spillway init` writes one");
  }
  auto settings = exists ? LoadSettings(file, ProcessEnvironment(), overrides)
                         : ParseSettings("", file, ProcessEnvironment(), overrides);
  if (settings.has_value()) return *std::move(settings);
  for (const config::Problem& problem : settings.error())
    fmt::print(stderr, "{}\n", config::ToString(problem));
  return Fail(ErrorCode::kInvalidArgument, "");
}

}  // namespace spillway::cli
