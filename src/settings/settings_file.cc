#include "settings/settings_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "config/json_schema.h"
#include "config/load.h"
#include "config/markdown.h"
#include "config/yaml_writer.h"
#include "settings/state_address.h"
#include "storage/s3_url.h"

namespace spillway {
namespace {

constexpr std::string_view kHeading =
    R"(# Spillway's configuration. `spillway config check` finds mistakes in it, `spillway config show`
# prints what is in force. Settings that begin with # have the value that they show; remove the # to
# change it. Environment variables override this file: SPILLWAY_ENGINE_THREADS is engine.threads.
# In texts and paths, ${NAME} is replaced by that environment variable: keep secrets there.
)";

constexpr std::string_view kIntroduction = R"(# Configuration

<!-- Generated from the declarations of the settings by settings_test, which says when and how to write it again. -->

Spillway reads one YAML file, `spillway.yaml`. `spillway init` writes one to start from,
`spillway config check` reports every mistake in it at once, each with file, line, column and what to
do, `spillway config show` prints what is in force (never a secret), and `spillway config schema`
prints its JSON Schema, which editors complete and check with.

- Environment variables come before a file of variables, it before the configuration file, and this
  before the defaults.
- Every setting outside of a list has an environment variable: `SPILLWAY_` and its path in capitals,
  with `_` between. Lists are given as YAML: `SPILLWAY_EXPORTS_MESSAGES_COLUMNS='[ts, body]'`.
- In texts and paths of the file, `${NAME}` is replaced by the environment variable of that name, which
  must be set; `$${` stands for `${` itself. `config show` prints such a text as the file has it, and
  a mistake in it is reported without it. Passwords in addresses are shown nowhere. Nor is what
  `${NAME}`, or a variable such as `SPILLWAY_EXPORTS_RECENT_PARAMETERS`, gave to `parameters` of an
  export or a schedule: commands and manifests have `(secret)` instead. The state has it (a
  SQLite file is made for its owner alone, mode 600), and a
  database may repeat a value in an error of its own. Hosts, buckets, users and paths are shown in
  errors and logs, whatever they came from: who has to act needs them.
- A file named `.env` beside the configuration file, or the one that `--env-file` or `SPILLWAY_ENV_FILE`
  names, gives variables that the environment does not have, as lines of `NAME=value` (with or without
  `export`; quotes, ` # comments` and line breaks in quotes as python-dotenv reads them). Of it count the
  variables of the table and those that the configuration names as `${NAME}`; whatever else stands there,
  credentials for S3 included, nobody looks at. Nothing is replaced in its values: one with `${` outside
  of single quotes is refused. `--env-file /dev/null` reads none.
- Relative paths are relative to the directory of the file; `s3://bucket/prefix` is no path and stays
  as it is.
- Durations are written `250ms`, `30s`, `5m`, `1h30m`, `7d`; sizes `4096`, `64 KiB`, `1.5 GiB`, `10 MB`.
)";

constexpr size_t kTextBytesMax = 1 << 20;

/// The text, or what kept it from being read; `absent` is said where there is none.
std::expected<std::string, std::string> ReadText(const std::filesystem::path& file,
                                                 const char* absent) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) {
    return std::unexpected("is a directory; name the file in it");
  }
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  // One byte more than a configuration may have, so that a longer one is noticed.
  std::string text(kTextBytesMax + 1, '\0');
  if (stream) stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream.is_open() || stream.bad()) {
    if (errno == ENOENT) return std::unexpected(absent);
    return std::unexpected(std::string("cannot be read: ") + std::strerror(errno));
  }
  text.resize(static_cast<size_t>(stream.gcount()));
  return text;
}

}  // namespace

config::Environment ProcessEnvironment() {
  config::Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

std::expected<Variables, config::Problems> ReadVariables(const std::filesystem::path& env_file,
                                                         const std::filesystem::path& directory) {
  Variables variables{.environment = ProcessEnvironment(), .of_file = {}};
  const std::filesystem::path file = env_file.empty() ? directory / ".env" : env_file;
  std::error_code error;
  // A directory of that name is a Python environment.
  if (env_file.empty() && !std::filesystem::is_regular_file(file, error)) return variables;
  // In messages, the name that was given, or .env, which is beside the configuration.
  const std::string shown = env_file.empty() ? ".env" : env_file.string();
  const auto text = ReadText(file, "there is no such file of variables");
  if (!text) return std::unexpected(config::Problems{{{.source = shown}, text.error()}});
  if (text->size() > kTextBytesMax) {
    return std::unexpected(
        config::Problems{{{.source = shown}, "has more than 1 MiB; a file of variables is small"}});
  }
  config::Problems problems;
  variables.of_file = config::ParseEnvFile(*text, shown, problems);
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return variables;
}

std::expected<Settings, config::Problems> LoadSettings(const std::filesystem::path& file,
                                                       const Variables& variables,
                                                       const recipe::Registry& registry) {
  const auto text = ReadText(file, "there is no such file");
  if (!text) {
    return std::unexpected(config::Problems{{{.source = file.string()}, text.error()}});
  }
  return ParseSettings(*text, file, variables, registry);
}

std::expected<Settings, config::Problems> ParseSettings(const std::string& text,
                                                        const std::filesystem::path& file,
                                                        const Variables& variables,
                                                        const recipe::Registry& registry) {
  config::VariableTexts from_variables;
  auto settings = config::Load(DeclareSettings(registry),
                               {.file = file.string(),
                                .text = text,
                                .directory = file.parent_path(),
                                .environment = variables.environment,
                                .file_variables = variables.of_file},
                               DefaultSettings(registry), &from_variables);
  if (!settings) return settings;
  for (auto& [path, text] : from_variables)
    settings->texts_with_variables[path] = std::move(text.written);
  settings->state.Resolve(file.parent_path());
  // Paths of defaults were not read, so they are still relative.
  for (auto& [name, configured] : settings->exports) {
    if (storage::IsUrl(configured.destination.native())) continue;
    configured.destination = (file.parent_path() / configured.destination).lexically_normal();
  }
  return settings;
}

std::string SettingsSchema(const recipe::Registry& registry) {
  return config::JsonSchema(DeclareSettings(registry).Describe(DefaultSettings(registry)),
                            "Spillway's configuration");
}

std::string StartingSettings(const recipe::Registry& registry) {
  return config::StartingFile(DeclareSettings(registry).Describe(DefaultSettings(registry)),
                              std::string(kHeading));
}

std::string EffectiveSettings(const Settings& settings, const recipe::Registry& registry) {
  std::map<std::string, std::string> texts = settings.texts_with_variables;
  // Beside a variable, a password may stand in it as it is.
  if (const auto state = texts.find("state"); state != texts.end())
    state->second = StateAddress(state->second).Shown();
  return config::EffectiveFile(
      config::WithVariablesNamed(DeclareSettings(registry).Describe(settings), texts));
}

std::string SettingsDocumentation(const recipe::Registry& registry) {
  return std::string(kIntroduction) +
         config::MarkdownTables(DeclareSettings(registry).Describe(DefaultSettings(registry)));
}

}  // namespace spillway
