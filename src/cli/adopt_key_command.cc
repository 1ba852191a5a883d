#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/signing.h"
#include "cli/command.h"
#include "cli/messages.h"
#include "deployment/deployment.h"

namespace spillway::cli {
namespace {

Outcome AdoptKey(const Invocation& invocation) {
  Log log(LogLevel::kError, LogFormat::kText, STDERR_FILENO);
  const Settings settings = TRY(invocation.Load());
  const auto deployment = TRY(Deployment::OpenExisting(settings, invocation.registry, log));
  TRY(deployment->CheckState());
  const SigningKey key = TRY(SigningKey::Load(settings.signing_key));
  const std::string id = key.verifying_key().id();
  TRY(CheckPublicKey(settings.signing_key, id));
  const std::string before = TRY(deployment->store().SigningKeyId());
  const std::string recorded = TRY(deployment->store().RecordSigningKey(before, id));
  if (recorded != id) {
    return Fail(ErrorCode::kConflict,
                "somebody else has recorded the signing key " + recorded + " meanwhile");
  }
  if (invocation.json) {
    PrintJson({{"key_id", id}, {"before", before}});
  } else if (!invocation.quiet && before == id) {
    PrintLine("what this state exports is signed with " + id + " already");
  } else if (!invocation.quiet) {
    PrintLine("from now on, what this state exports is signed with " + id +
              (before.empty() ? "" : ", no longer with " + before));
    PrintLine("recipients verify with " + SigningKey::PublicPath(settings.signing_key).string() +
              "; copy both files to every machine that works on the state");
  }
  return ExitCode::kSuccess;
}

}  // namespace

void AddAdoptKey(CLI::App& program, const Invocation& invocation, Action& action) {
  CLI::App* command = program.add_subcommand(
      "adopt-key", "sign with this machine's key from now on, on all machines of the state");
  command->footer(
      "Stop all workers first, and give each machine the new key before it starts again: one with "
      "another key is refused. Exports that are there keep their signatures; keep the old public "
      "key to verify them.\n\n"
      "Example:\n  mv signing.pem signing-2025.pem; mv signing.pub.pem signing-2025.pub.pem\n"
      "  openssl genpkey -algorithm ed25519 -out signing.pem\n"
      "  openssl pkey -in signing.pem -pubout -out signing.pub.pem\n"
      "  spillway adopt-key");
  command->callback(
      [&invocation, &action] { action = [&invocation] { return AdoptKey(invocation); }; });
}

}  // namespace spillway::cli
