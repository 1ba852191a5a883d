#include <filesystem>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/signing.h"
#include "cli/command.h"
#include "cli/job_view.h"
#include "cli/messages.h"
#include "cli/progress_bar.h"
#include "engine/manifest.h"
#include "storage/local/local_store.h"

namespace spillway::cli {
namespace {

struct VerifyFlags {
  std::filesystem::path export_directory;
  std::filesystem::path key;
};

std::string SignatureOf(const engine::Verification& found) {
  if (found.verified) return "signed by key " + found.key_id;
  if (found.key_id.empty()) return "not signed";
  return "names key " + found.key_id +
         " as its signer, which was not checked (--key with that key's public file does)";
}

/// A store that holds an export's files, and where in it the manifest's directory is.
struct Delivered {
  std::unique_ptr<storage::ObjectStore> store;
  std::string directory;
};

Result<Delivered> Open(std::filesystem::path directory) {
  Delivered delivered{.store = TRY(storage::LocalStore::OpenExisting(directory.string()))};
  const engine::Manifest manifest = TRY(engine::ReadManifest(*delivered.store, ""));
  if (manifest.levels_up == 0) return delivered;
  directory = std::filesystem::absolute(directory).lexically_normal();
  if (!directory.has_filename()) directory = directory.parent_path();
  std::filesystem::path below;
  for (int level = 0; level < manifest.levels_up && directory.has_relative_path(); ++level) {
    below = below.empty() ? directory.filename() : directory.filename() / below;
    directory = directory.parent_path();
  }
  delivered.store = TRY(storage::LocalStore::OpenExisting(directory.string()));
  delivered.directory = below.string();
  return delivered;
}

Outcome VerifyExport(const Invocation& invocation, const VerifyFlags& flags) {
  std::filesystem::path directory = flags.export_directory;
  if (directory.filename() == engine::Manifest::kName) directory = directory.parent_path();
  std::optional<VerifyingKey> key;
  if (!flags.key.empty()) key = TRY(VerifyingKey::Load(flags.key));
  const Delivered delivered = TRY(Open(directory.empty() ? "." : directory));
  ProgressBar bar("verifying", "bytes");
  int64_t checked = 0;
  const engine::Verification found =
      TRY(engine::Verify(*delivered.store, delivered.directory, key.has_value() ? &*key : nullptr,
                         [&](uint64_t bytes, uint64_t total) {
                           checked += static_cast<int64_t>(bytes);
                           if (!invocation.quiet)
                             bar.Show(checked, static_cast<int64_t>(total), "");
                         }));
  bar.Clear();
  const engine::Counts& counts = found.manifest.counts;
  const bool good = found.problems.empty();
  if (invocation.json) {
    PrintJson({{"whole", good},
               {"signed", found.verified},
               {"key_id", found.key_id},
               {"job", found.manifest.job_id},
               {"files", found.manifest.files.size()},
               {"rows", counts.written},
               {"bytes", counts.bytes},
               {"problems", found.problems}});
  } else if (!invocation.quiet) {
    for (const std::string& problem : found.problems) PrintLine(problem);
    if (good) {
      PrintLine(fmt::format("whole and unchanged: {} {} in {} file{}, {}; {}",
                            Grouped(counts.written), CountedBy(found.manifest.source),
                            found.manifest.files.size(),
                            found.manifest.files.size() == 1 ? "" : "s",
                            ShortBytes(static_cast<uint64_t>(counts.bytes)), SignatureOf(found)));
    }
  }
  return good ? ExitCode::kSuccess : ExitCode::kFailed;
}

}  // namespace

void AddVerify(CLI::App& program, const Invocation& invocation, Action& action) {
  auto flags = std::make_shared<VerifyFlags>();
  CLI::App* command =
      program.add_subcommand("verify", "check a delivered export against its manifest, offline");
  command
      ->add_option("directory", flags->export_directory,
                   "the delivered directory, or its manifest.json")
      ->required();
  command->add_option("-k,--key", flags->key, "PEM file of the key that must have signed it");
  command->footer(
      "Example:\n  spillway verify exports/acme/6f1c0d2e9a8b7c65-1 --key signing.pub.pem");
  command->callback([flags, &invocation, &action] {
    action = [flags, &invocation] { return VerifyExport(invocation, *flags); };
  });
}

}  // namespace spillway::cli
