#include <algorithm>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/figures.h"
#include "base/signing.h"
#include "cli/command.h"
#include "cli/item_failures.h"
#include "cli/job_view.h"
#include "cli/messages.h"
#include "cli/progress_bar.h"
#include "deployment/stores.h"
#include "manifest/manifest.h"
#include "storage/local/local_store.h"
#include "storage/s3_url.h"

namespace spillway::cli {
namespace {

struct VerifyFlags {
  std::string place;
  std::filesystem::path key;
  std::string files;
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
  std::string directory = {};
  std::unique_ptr<storage::ObjectStore> files = {};  ///< Of a manifest that has a place of its own.
};

/// Opens what holds all files that a delivery's manifest names.
Result<Delivered> Open(Stores& stores, std::string place, const VerifyFlags& flags) {
  std::unique_ptr<storage::ObjectStore> store = TRY(stores.Open(place, Stores::Missing::kFails));
  Delivered delivered{.store = std::move(store)};
  const engine::Manifest manifest = TRY(engine::ReadManifest(*delivered.store, ""));
  if (!manifest.files_at.empty()) {
    const std::string& files = flags.files.empty() ? manifest.files_at : flags.files;
    delivered.files = TRY(stores.Open(files, Stores::Missing::kFails));
    return delivered;
  }
  if (!flags.files.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "--files is for manifests that are kept apart from their files; this one is with "
                "them");
  }
  if (manifest.levels_up == 0) return delivered;
  const bool is_url = storage::IsUrl(place);
  if (!is_url) place = std::filesystem::absolute(place).lexically_normal().string();
  while (place.ends_with('/')) place.pop_back();
  const size_t root = is_url ? place.find('/', place.find("://") + 3) : 0;
  for (int level = 0; level < manifest.levels_up; ++level) {
    const size_t slash = place.rfind('/');
    if (slash == std::string::npos || slash < root) break;
    const std::string name = place.substr(slash + 1);
    delivered.directory = delivered.directory.empty() ? name : name + "/" + delivered.directory;
    place.resize(slash);
  }
  delivered.store = TRY(stores.Open(place.empty() ? "/" : place, Stores::Missing::kFails));
  return delivered;
}

/// What lies in an export's own directory and is not of it, some of it at least: whoever reads the
/// directory reads that, too. Nothing where the directory is shared, or cannot be listed.
std::vector<std::string> UnnamedFiles(const Delivered& delivered,
                                      const engine::Manifest& manifest) {
  constexpr size_t kShownMax = 3;
  if (manifest.levels_up != 0) return {};
  std::unordered_set<std::string_view> named = {engine::Manifest::kName,
                                                engine::Manifest::kSignatureName};
  for (const engine::ManifestFile& file : manifest.files) named.insert(file.name);
  for (const engine::ManifestFile& report : manifest.reports) named.insert(report.name);
  const auto listed = delivered.store->List("", "", named.size() + kShownMax);
  if (!listed.has_value()) return {};
  std::vector<std::string> unnamed;
  for (const storage::ObjectInfo& object : *listed) {
    if (unnamed.size() < kShownMax && !named.contains(object.key)) unnamed.push_back(object.key);
  }
  return unnamed;
}

/// A delivered directory or s3://bucket/prefix, without the name of its manifest.
std::string WithoutManifest(std::string place) {
  if (place == engine::Manifest::kName) return ".";
  const std::string manifest = "/" + std::string(engine::Manifest::kName);
  if (place.ends_with(manifest)) place.resize(place.size() - manifest.size());
  return place.empty() ? "/" : place;
}

/// Whether the manifest or its files are in a bucket.
Result<bool> NeedsBuckets(const std::string& place, const VerifyFlags& flags) {
  if (storage::IsUrl(place) || storage::IsUrl(flags.files)) return true;
  if (!flags.files.empty()) return false;
  const auto store = TRY(storage::LocalStore::OpenExisting(place));
  const engine::Manifest manifest = TRY(engine::ReadManifest(*store, ""));
  return storage::IsUrl(manifest.files_at);
}

/// What was planned, and is not in the files: how much, and why, as the manifest lists it.
void PrintNotWritten(const engine::Manifest& manifest) {
  constexpr size_t kListed = 20;
  const engine::Counts& counts = manifest.counts;
  if (counts.excluded + counts.failed == 0) return;
  PrintLine(fmt::format("not in it, of {} {} planned: excluded {}, failed {}",
                        Grouped(counts.planned), CountedBy(manifest.source),
                        Grouped(counts.excluded), Grouped(counts.failed)));
  const size_t listed = std::min(kListed, manifest.errors.size());
  for (const engine::ErrorRecord& error : std::span(manifest.errors).first(listed))
    PrintLine(
        fmt::format("  {}: {}: {}", error.classification, error.key, InCommands(error.message)));
  const auto more = static_cast<int64_t>(manifest.errors.size() - listed);
  if (more > 0) PrintLine(fmt::format("  and {} more; the manifest lists them", Grouped(more)));
  if (manifest.errors_left_out > 0) {
    PrintLine(fmt::format("  and {} more; the reports beside the manifest list them",
                          Grouped(manifest.errors_left_out)));
  }
}

Outcome VerifyExport(const Invocation& invocation, const VerifyFlags& flags) {
  const std::string place = WithoutManifest(flags.place);
  std::optional<VerifyingKey> key;
  if (!flags.key.empty()) key = TRY(VerifyingKey::Load(flags.key));
  // A directory is verified wherever it is, without any configuration.
  S3Settings s3;
  if (TRY(NeedsBuckets(place, flags))) s3 = TRY(invocation.Load()).s3;
  SystemClock clock;
  Stores stores(s3, clock);
  const Delivered delivered = TRY(Open(stores, place, flags));
  ProgressBar bar("verifying", "bytes");
  int64_t checked = 0;
  const engine::Verification found = TRY(engine::Verify(
      *delivered.store, delivered.directory, key.has_value() ? &*key : nullptr,
      [&](uint64_t bytes, uint64_t total) {
        checked += static_cast<int64_t>(bytes);
        if (!invocation.quiet) bar.Show(checked, static_cast<int64_t>(total), "");
      },
      delivered.files.get()));
  bar.Clear();
  const engine::Counts& counts = found.manifest.counts;
  const bool good = found.problems.empty();
  const std::vector<std::string> unnamed = UnnamedFiles(delivered, found.manifest);
  if (invocation.json) {
    PrintJson({{"whole", good},
               {"signed", found.verified},
               {"key_id", found.key_id},
               {"job", found.manifest.job_id},
               {"files", found.manifest.files.size()},
               {"planned", counts.planned},
               {"rows", counts.written},
               {"excluded", counts.excluded},
               {"failed", counts.failed},
               {"bytes", counts.bytes},
               {"errors", FailuresToJson(found.manifest.errors)},
               {"errors_left_out", found.manifest.errors_left_out},
               {"problems", found.problems},
               {"not_of_the_export", unnamed}});
  } else if (!invocation.quiet) {
    for (const std::string& problem : found.problems) PrintLine(problem);
    const bool files_differ = std::ranges::any_of(found.problems, [](const std::string& problem) {
      return !problem.starts_with(engine::Manifest::kName);
    });
    const auto* definition = recipe::FindDefinition(invocation.registry, found.manifest.recipe);
    if (files_differ && definition != nullptr && !definition->why_files_may_differ().empty())
      PrintLine(definition->why_files_may_differ());
    if (good) {
      PrintLine(fmt::format("whole and unchanged: {} {} in {} file{}, {}; {}",
                            Grouped(counts.written), CountedBy(found.manifest.source),
                            found.manifest.files.size(),
                            found.manifest.files.size() == 1 ? "" : "s",
                            ShortBytes(static_cast<uint64_t>(counts.bytes)), SignatureOf(found)));
      PrintNotWritten(found.manifest);
    }
    if (!unnamed.empty()) {
      PrintLine(
          fmt::format("beside it, and not of the export: {}; whoever reads the whole "
                      "directory reads that, too",
                      fmt::join(unnamed, ", ")));
    }
  }
  return good ? ExitCode::kSuccess : ExitCode::kFailed;
}

}  // namespace

void AddVerify(CLI::App& program, const Invocation& invocation, Action& action) {
  auto flags = std::make_shared<VerifyFlags>();
  CLI::App* command =
      program.add_subcommand("verify", "check a delivered export against its manifest");
  command
      ->add_option("place", flags->place,
                   "the delivered directory or s3://bucket/prefix, or its manifest.json")
      ->required();
  command->add_option(
      "--files", flags->files,
      "directory or s3://bucket/prefix of the files, where a manifest is kept apart "
      "from them; default: where it says");
  command->add_option("-k,--key", flags->key, "PEM file of the key that must have signed it");
  command->footer(
      "A directory is verified offline, without any configuration. Examples:\n"
      "  spillway verify exports/acme/6f1c0d2e9a8b7c65-1 --key signing.pub.pem\n"
      "  spillway verify s3://bucket/exports/acme/6f1c0d2e9a8b7c65-1");
  command->callback([flags, &invocation, &action] {
    action = [flags, &invocation] { return VerifyExport(invocation, *flags); };
  });
}

}  // namespace spillway::cli
