#include <fmt/format.h>

#include "cli/command.h"
#include "cli/settings_file.h"

namespace spillway::cli {

Result<Settings> Invocation::Load() const {
  const bool exists = std::filesystem::exists(config);
  if (!exists && config_given) {
    return Fail(ErrorCode::kNotFound,
                config.string() + ": there is no such file; `spillway init` writes one");
  }
  auto settings = exists ? LoadSettings(config, ProcessEnvironment(), overrides)
                         : ParseSettings("", std::filesystem::absolute(config),
                                         ProcessEnvironment(), overrides);
  if (settings.has_value()) return *std::move(settings);
  for (const config::Problem& problem : settings.error())
    fmt::print(stderr, "{}\n", config::ToString(problem));
  return Fail(ErrorCode::kInvalidArgument, "");
}

}  // namespace spillway::cli
