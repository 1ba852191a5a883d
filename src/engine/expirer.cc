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
  if (!destination.directory.ends_with("/" + job.id)) {
    return Fail(ErrorCode::kInternal, "job " + job.id + " has no directory of its own, but \"" +
                                          destination.directory + "\"; nothing is removed");
  }
  return destination;
}

std::array<std::string, 2> PrefixesOf(const recipe::Destination& destination, const Job& job) {
  return {destination.directory + "/", Staging::PrefixOf(job.id)};
}

Result<Expirable> CountRemains(Context& context, const Job& job) {
  const recipe::Destination destination = TRY(OwnDestination(context, job));
  Expirable counted{.job = job};
  for (const std::string& prefix : PrefixesOf(destination, job)) {
    TRY(storage::ForEachObject(*destination.store, prefix, [&](const storage::ObjectInfo& object) {
      ++counted.objects;
      counted.bytes += static_cast<int64_t>(object.bytes);
      return Result<>();
    }));
  }
  return counted;
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
  }
  return {};
}

}  // namespace

Result<std::vector<Expirable>> FindExpirable(Context& context, size_t limit) {
  std::vector<Expirable> due;
  const Timestamp now = context.clock.Now();
  for (const auto& [export_name, retention] : context.options.retention_of_export) {
    for (const auto& [state, kept] : {std::pair(JobState::kSucceeded, retention.published),
                                      std::pair(JobState::kFailed, retention.redrivable)}) {
      if (!kept) continue;
      const store::ExpiryFilter filter{.export_name = export_name,
                                       .state = state,
                                       .ended_before = now - *kept,
                                       .begun_before = now - context.options.lease};
      for (const Job& job : TRY(context.store.Expirable(filter, limit))) {
        Result<Expirable> counted = CountRemains(context, job);
        if (counted.has_value()) {
          due.push_back(*std::move(counted));
        } else {
          context.log.Error("job cannot expire",
                            {{"job", job.id}, {"error", counted.error().message}});
        }
      }
    }
  }
  return due;
}

Result<bool> Expire(Context& context, const Expirable& due) {
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

Result<int64_t> ExpireDue(Context& context) {
  int64_t jobs = 0;
  for (const Expirable& due : TRY(FindExpirable(context, kJobsASweep))) {
    const Result<bool> expired = Expire(context, due);
    if (!expired.has_value()) {
      context.log.Error("job cannot expire",
                        {{"job", due.job.id}, {"error", expired.error().message}});
    } else if (*expired) {
      ++jobs;
    }
  }
  return jobs;
}

Result<> RemoveIfExpired(Context& context, std::string_view job_id) {
  const Job job = TRY(context.store.Get(job_id));
  if (!job.expiry) return {};
  return RemoveRemains(context, job);
}

}  // namespace spillway::engine
