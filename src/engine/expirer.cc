#include "engine/expirer.h"

#include <array>
#include <utility>

#include "base/log.h"
#include "engine/manifest.h"
#include "engine/outcome.h"
#include "engine/staging.h"
#include "storage/objects.h"

namespace spillway::engine {
namespace {

constexpr size_t kJobsASweep = 50;

/// Where the job's own files are, and nobody else's.
Result<recipe::Destination> OwnDestination(Context& context, const Job& job) {
  const recipe::Recipe* recipe = TRY(context.recipes.Find(job.recipe));
  recipe::Destination destination = TRY(recipe->DestinationOf(job));
  if (destination.directory != job.id && !destination.directory.ends_with("/" + job.id)) {
    return Fail(ErrorCode::kInternal, "job " + job.id + " has no directory of its own, but \"" +
                                          destination.directory + "\"; nothing is removed");
  }
  return destination;
}

std::array<std::string, 2> PrefixesOf(const recipe::Destination& destination, const Job& job) {
  return {destination.directory + "/", Staging::PrefixOf(job.id)};
}

Result<> CountRemains(Context& context, Missing missing, Expirable& counted) {
  const Job& job = counted.job;
  const recipe::Destination destination = TRY(OwnDestination(context, job));
  const std::string manifest = destination.directory + "/" + std::string(Manifest::kName);
  bool published = false;
  for (const std::string& prefix : PrefixesOf(destination, job)) {
    TRY(storage::ForEachObject(*destination.store, prefix, [&](const storage::ObjectInfo& object) {
      published |= object.key == manifest;
      ++counted.objects;
      counted.bytes += static_cast<int64_t>(object.bytes);
      return Result<>();
    }));
  }
  if (published || job.state != JobState::kSucceeded || job.expiry || missing == Missing::kExpires)
    return {};
  return Fail(ErrorCode::kNotFound,
              manifest +
                  " is not where it was published: is the destination mounted, and the right one? "
                  "If somebody removed it, `spillway jobs expire --missing` lets the job expire");
}

Result<> RemoveRemains(Context& context, const Job& job) {
  const recipe::Destination destination = TRY(OwnDestination(context, job));
  context.stagings.Drop(job.id);
  storage::ObjectStore& store = *destination.store;
  for (const std::string_view first : {Manifest::kName, Manifest::kSignatureName}) {
    TRY(store.Remove(destination.directory + "/" + std::string(first)));
  }
  for (const std::string& prefix : PrefixesOf(destination, job)) {
    TRY(storage::ForEachObject(store, prefix, [&](const storage::ObjectInfo& object) -> Result<> {
      TRY(store.Remove(object.key));
      return {};
    }));
    TRY(store.RemoveUnfinished(prefix));
  }
  return {};
}

}  // namespace

ExpiryWalk::ExpiryWalk(std::string export_name, JobState state, std::chrono::microseconds kept,
                       Missing missing)
    : filter_{.export_name = std::move(export_name), .state = state},
      kept_(kept),
      missing_(missing) {}

Result<std::vector<Expirable>> ExpiryWalk::Next(Context& context, size_t limit,
                                                std::stop_token stop) {
  if (ended_) filter_.after = {};
  const Timestamp now = context.clock.Now();
  filter_.ended_before = now - kept_;
  filter_.begun_before = now - context.options.lease;
  std::vector<Job> jobs = TRY(context.store.Expirable(filter_, limit));
  ended_ = jobs.size() < limit;
  std::vector<Expirable> due;
  for (Job& job : jobs) {
    if (stop.stop_requested()) {
      ended_ = false;
      break;
    }
    filter_.after = {.finished_at = *job.finished_at, .id = job.id};
    Expirable& counted = due.emplace_back(Expirable{.job = std::move(job)});
    if (const Result<> count = CountRemains(context, missing_, counted); !count.has_value())
      counted.error = count.error();
  }
  return due;
}

std::vector<ExpiryWalk> ExpiryWalks(const Options& options, Missing missing) {
  std::vector<ExpiryWalk> walks;
  for (const auto& [export_name, retention] : options.retention_of_export) {
    if (retention.published)
      walks.emplace_back(export_name, JobState::kSucceeded, *retention.published, missing);
    if (retention.redrivable)
      walks.emplace_back(export_name, JobState::kFailed, *retention.redrivable);
  }
  return walks;
}

Result<bool> Expire(Context& context, const Expirable& due) {
  if (due.error.has_value()) return std::unexpected(*due.error);
  const Result<Job> begun = context.store.BeginExpiry(due.job, due.objects, due.bytes);
  if (!begun.has_value() && begun.error().code == ErrorCode::kConflict) return false;
  if (!begun.has_value()) return std::unexpected(begun.error());
  TRY(RemoveRemains(context, *begun));
  const Job expired = TRY(context.store.EndExpiry(due.job.id));
  context.log.Info("job expired", {{"job", expired.id},
                                   {"objects", expired.expiry->objects},
                                   {"bytes", expired.expiry->bytes}});
  return true;
}

Result<int64_t> ExpireDue(Context& context, std::span<ExpiryWalk> walks, std::stop_token stop) {
  int64_t jobs = 0;
  FirstError failed;
  for (ExpiryWalk& walk : walks) {
    const Result<std::vector<Expirable>> page = walk.Next(context, kJobsASweep, stop);
    failed.Add(page);
    if (!page.has_value()) continue;
    for (const Expirable& due : *page) {
      if (stop.stop_requested()) break;
      const Result<bool> expired = Expire(context, due);
      if (!expired.has_value()) {
        context.log.Error("job cannot expire",
                          {{"job", due.job.id}, {"error", expired.error().message}});
      } else if (*expired) {
        ++jobs;
      }
    }
  }
  TRY(failed.result());
  return jobs;
}

Result<> RemoveIfExpired(Context& context, std::string_view job_id) {
  const Job job = TRY(context.store.Get(job_id));
  if (!job.expiry) return {};
  return RemoveRemains(context, job);
}

}  // namespace spillway::engine
