#include <filesystem>
#include <fstream>

#include <CLI/CLI.hpp>

#include "base/signing.h"
#include "cli/command.h"
#include "cli/messages.h"
#include "cli/settings_file.h"

namespace spillway::cli {
namespace {

Outcome Init(const Invocation& invocation) {
  const std::filesystem::path& path = invocation.config;
  if (std::filesystem::exists(path)) {
    return Fail(ErrorCode::kAlreadyExists,
                path.string() + ": is there already; move it away to start anew");
  }
  std::ofstream file(path, std::ios::binary);
  file << StartingSettings();
  file.close();
  if (!file) return std::unexpected(FromErrno(errno, "writing " + path.string()));
  const Settings settings = TRY(invocation.Load());
  const Result<SigningKey> key = SigningKey::Generate(settings.signing_key);
  if (!key.has_value() && key.error().code != ErrorCode::kAlreadyExists)
    return std::unexpected(key.error());
  if (!invocation.quiet) {
    PrintLine("wrote " + path.string() + " and " + settings.signing_key.string());
    PrintLine("next: spillway ingest messages.ndjson");
  }
  return ExitCode::kSuccess;
}

}  // namespace

void AddInit(CLI::App& program, const Invocation& invocation, Action& action) {
  program.add_subcommand("init", "write a starting configuration, commented, and a signing key")
      ->callback([&invocation, &action] { action = [&invocation] { return Init(invocation); }; });
}

}  // namespace spillway::cli
