#include <fmt/format.h>

#include "cli/command.h"
#include "cli/settings_file.h"

namespace spillway::cli {

Result<Settings> Invocation::Load() const {
  // Jobs record paths, and other processes work on them.
  std::error_code error;
  const std::filesystem::path file = std::filesystem::absolute(config, error).lexically_normal();
  const bool exists = !error && std::filesystem::exists(file, error);
  if (error) return std::unexpected(FromErrno(error.value(), "cannot read " + config.string()));
  if (!exists && config_given) {
    return Fail(ErrorCode::kNotFound,
                config.string() + ": there is no such file; `spillway init` writes one");
  }
  auto settings = exists ? LoadSettings(file, ProcessEnvironment())
                         : ParseSettings("", file, ProcessEnvironment());
  if (settings.has_value()) return *std::move(settings);
  for (const config::Problem& problem : settings.error())
    fmt::print(stderr, "{}\n", config::ToString(problem));
  return Fail(ErrorCode::kInvalidArgument, "");
}

bool Invocation::HasFile() const {
  std::error_code error;
  return std::filesystem::exists(config, error);
}

}  // namespace spillway::cli
