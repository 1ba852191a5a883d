#include <filesystem>
#include <fstream>

#include <CLI/CLI.hpp>

#include "base/signing.h"
#include "cli/command.h"
#include "cli/messages.h"
#include "deployment/deployment.h"
#include "settings/settings_file.h"

namespace spillway::cli {
namespace {

Outcome Init(const Invocation& invocation) {
  const std::filesystem::path& path = invocation.config;
  std::error_code error;
  const bool exists = std::filesystem::exists(path, error);
  if (error) return std::unexpected(FromErrno(error.value(), path.string()));
  if (exists) {
    return Fail(ErrorCode::kAlreadyExists,
                path.string() + ": is there already; move it away to start again");
  }
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (error)
    return std::unexpected(FromErrno(error.value(), "making " + path.parent_path().string()));
  std::ofstream file(path, std::ios::binary);
  file << StartingSettings(invocation.registry);
  file.close();
  if (!file) {
    const int why = errno;
    // The next attempt would refuse half a file, as one that is there already.
    std::filesystem::remove(path, error);
    return std::unexpected(FromErrno(why, "writing " + path.string()));
  }
  const Settings settings = TRY(invocation.Load());
  if (!invocation.quiet) PrintLine("wrote " + path.string());
  const SigningKey key = TRY(SigningKey::LoadOrGenerate(settings.signing_key));
  const std::filesystem::path beside = SigningKey::PublicPath(settings.signing_key);
  const bool has_public = IsThere(beside);
  if (has_public) TRY(CheckPublicKey(settings.signing_key, key.verifying_key().id()));
  if (!invocation.quiet) {
    PrintLine("exports are signed by " + settings.signing_key.string() +
              (has_public ? "; recipients verify with " + beside.string() : std::string()));
    PrintLine("next: spillway ingest messages.ndjson");
  }
  return ExitCode::kSuccess;
}

}  // namespace

void AddInit(CLI::App& program, const Invocation& invocation, Action& action) {
  CLI::App* command = program.add_subcommand(
      "init", "write a starting configuration, commented, and a signing key");
  command->footer("Examples:\n  spillway init\n  spillway --config staging/spillway.yaml init");
  command->callback(
      [&invocation, &action] { action = [&invocation] { return Init(invocation); }; });
}

}  // namespace spillway::cli
