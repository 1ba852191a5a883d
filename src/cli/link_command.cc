#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/job_view.h"
#include "cli/messages.h"
#include "config/scalar.h"
#include "deployment/deployment.h"
#include "manifest/manifest.h"
#include "staging/outcome.h"
#include "storage/links.h"
#include "storage/objects.h"

namespace spillway::cli {
namespace {

using std::chrono::seconds;

constexpr seconds kLifetimeMax = std::chrono::hours(7 * 24);  // Of a signature.

struct LinkFlags {
  std::string job_id;
  std::string expires = "1h";
};

struct Link {
  std::string name;
  uint64_t bytes = 0;
  std::string url;
};

Result<seconds> LifetimeOf(const LinkFlags& flags) {
  const auto parsed = config::ParseDuration(flags.expires);
  if (parsed.has_value() && *parsed >= seconds(1) && *parsed <= kLifetimeMax)
    return std::chrono::floor<seconds>(*parsed);
  return Fail(ErrorCode::kInvalidArgument,
              "--expires: \"" + flags.expires + "\" is no time from 1s to 7d, such as 15m or 1h");
}

Result<storage::Links*> LinksInto(storage::ObjectStore& store, const std::string& job_id) {
  storage::Links* const links = store.links();
  if (links != nullptr) return links;
  return Fail(ErrorCode::kInvalidArgument,
              "job " + job_id +
                  " is not in a bucket; links lead to exports whose destination is "
                  "s3://bucket/prefix");
}

/// Of every file the manifest names, of the manifest, and of its signature.
Result<std::vector<Link>> LinksOf(Stores& stores, const engine::Job& job,
                                  storage::ObjectStore& store, const std::string& directory,
                                  seconds lifetime) {
  using engine::Manifest;
  storage::Links* const beside = TRY(LinksInto(store, job.id));
  const std::string text =
      TRY(storage::ReadWhole(store, directory + "/" + std::string(Manifest::kName)));
  const Manifest manifest = TRY(engine::ManifestFromJson(text));
  storage::Links* files = beside;
  std::unique_ptr<storage::ObjectStore> apart;
  if (!manifest.files_at.empty()) {
    apart = TRY(stores.Open(manifest.files_at, Stores::Missing::kFails));
    files = TRY(LinksInto(*apart, job.id));
  }
  std::vector<Link> links;
  const auto add = [&](storage::Links& into, const std::string& base, const std::string& name,
                       uint64_t bytes) -> Result<> {
    const std::string key = base.empty() ? name : base + "/" + name;
    const std::string file_name = name.substr(name.rfind('/') + 1);
    std::string url = TRY(into.Link(key, lifetime, file_name));
    links.push_back({name, bytes, std::move(url)});
    return {};
  };
  const std::string base = TRY(engine::BaseOf(manifest, directory));
  for (const engine::ManifestFile& file : manifest.files)
    TRY(add(*files, base, file.name, file.bytes));
  for (const engine::ManifestFile& report : manifest.reports)
    TRY(add(*beside, directory, report.name, report.bytes));
  TRY(add(*beside, directory, std::string(Manifest::kName), text.size()));
  const std::string signature(Manifest::kSignatureName);
  if (const auto signed_by = TRY(store.Head(directory + "/" + signature)))
    TRY(add(*beside, directory, signature, signed_by->bytes));
  return links;
}

Outcome PrintLinks(const Invocation& invocation, const LinkFlags& flags) {
  const seconds lifetime = TRY(LifetimeOf(flags));
  Log log(LogLevel::kError, LogFormat::kText, STDERR_FILENO);
  const auto deployment =
      TRY(Deployment::OpenExisting(TRY(invocation.Load()), invocation.registry, log));
  TRY(deployment->CheckState());
  const engine::Job job = TRY(FindJob(deployment->store(), flags.job_id));
  if (job.state != engine::JobState::kSucceeded) {
    return Fail(ErrorCode::kConflict,
                fmt::format("job {} is {}; only a succeeded job has files to link to", job.id,
                            Name(job.state)));
  }
  if (job.expiry.has_value()) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("job {} {}; run the export again", job.id, ExpiryLine(*job.expiry)));
  }
  const recipe::Destination destination = TRY(deployment->DestinationOf(job));
  const Timestamp until = deployment->clock().Now() + lifetime;
  const std::vector<Link> links =
      TRY(LinksOf(deployment->stores(), job, *destination.store, destination.directory, lifetime));
  if (invocation.json) {
    nlohmann::ordered_json json = {{"job", job.id}, {"expires_at", FormatTimestamp(until)}};
    json["links"] = nlohmann::ordered_json::array();
    for (const Link& link : links)
      json["links"].push_back({{"name", link.name}, {"bytes", link.bytes}, {"url", link.url}});
    PrintJson(json);
    return ExitCode::kSuccess;
  }
  for (const Link& link : links) PrintLine(link.url);
  return ExitCode::kSuccess;
}

}  // namespace

void AddLink(CLI::App& program, const Invocation& invocation, Action& action) {
  auto flags = std::make_shared<LinkFlags>();
  CLI::App* command = program.add_subcommand(
      "link", "print links that download a finished export from its bucket, without credentials");
  command->add_option("job", flags->job_id, "the job's id")->required();
  command->add_option("--expires", flags->expires, "how long the links work, up to 7d")
      ->capture_default_str();
  command->footer(
      "Links made with temporary credentials (a role's) end with these, if that is sooner.\n"
      "Example:\n  spillway link 6f1c0d2e9a8b7c65-1 --expires 15m");
  command->callback([flags, &invocation, &action] {
    action = [flags, &invocation] { return PrintLinks(invocation, *flags); };
  });
}

}  // namespace spillway::cli
