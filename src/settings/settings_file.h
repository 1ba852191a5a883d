#pragma once

#include <expected>
#include <filesystem>
#include <string>

#include "config/env_file.h"
#include "config/problem.h"
#include "config/reader.h"
#include "settings/settings.h"

namespace spillway {

/// The environment of this process.
config::Environment ProcessEnvironment();

/// Where settings come from besides the configuration file.
struct Variables {
  config::Environment environment;
  config::FileVariables of_file;  ///< Of .env, where the environment has no such variable.
};

/// The process's environment, and the file of variables: `env_file` if it is named, else `.env` in
/// `directory` if there is such a file. The names there are taken that are settings or that the
/// configuration names as ${NAME}; nothing else of this program sees the file.
std::expected<Variables, config::Problems> ReadVariables(const std::filesystem::path& env_file,
                                                         const std::filesystem::path& directory);

/// Reads a configuration file. The environment comes before the file of variables, it before the
/// configuration file, it before the defaults; relative paths are relative to the file's directory.
/// Everything that is wrong comes back at once, each problem one line of config::ToString.
std::expected<Settings, config::Problems> LoadSettings(const std::filesystem::path& file,
                                                       const Variables& variables,
                                                       const recipe::Registry& registry);

/// As LoadSettings, with the file's text at hand.
std::expected<Settings, config::Problems> ParseSettings(const std::string& text,
                                                        const std::filesystem::path& file,
                                                        const Variables& variables,
                                                        const recipe::Registry& registry);

/// What `spillway config schema` prints: JSON Schema, draft 2020-12.
std::string SettingsSchema(const recipe::Registry& registry);

/// What `spillway init` writes: every setting with its help; reads as the defaults.
std::string StartingSettings(const recipe::Registry& registry);

/// What `spillway config show` prints: the settings as YAML, without secrets.
std::string EffectiveSettings(const Settings& settings, const recipe::Registry& registry);

/// docs/configuration.md.
std::string SettingsDocumentation(const recipe::Registry& registry);

}  // namespace spillway
