#include "maintenance/sweeper.h"

#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "engine/guarded.h"
#include "staging/outcome.h"
#include "storage/objects.h"

namespace spillway::engine {
namespace {

/// What was left by processes that died lies where jobs of late went.
constexpr size_t kJobsSeen = 200;

Result<int64_t> CountStaged(storage::ObjectStore& store, std::string_view job_id) {
  int64_t objects = 0;
  TRY(storage::ForEachObject(store, Staging::PrefixOf(job_id), [&](const storage::ObjectInfo&) {
    ++objects;
    return Result<>();
  }));
  return objects;
}

}  // namespace

Result<Leftovers> SweepLeftovers(store::JobStore& jobs, storage::ObjectStore& store,
                                 std::chrono::seconds abandoned_age, storage::Sweep sweep) {
  Leftovers found;
  const std::vector<std::string> staged = TRY(StagedJobs(store));
  for (const std::string& job_id : staged) {
    const Result<Job> job = jobs.Get(job_id);
    if (!job.has_value() && job.error().code == ErrorCode::kNotFound) continue;
    if (!job.has_value()) return std::unexpected(job.error());
    const bool is_over = job->state == JobState::kSucceeded || job->state == JobState::kCancelled;
    if (!is_over && !job->expiry) continue;
    Receipt receipt;
    if (sweep != storage::Sweep::kCount) {
      TRY(RemoveStaged(store, job_id, receipt));
    } else {
      receipt.objects_removed = TRY(CountStaged(store, job_id));
    }
    found.objects += receipt.objects_removed;
    ++found.jobs;
  }
  if (auto* const maintenance = store.maintenance()) {
    found.abandoned = static_cast<int64_t>(TRY(maintenance->SweepAbandoned(abandoned_age, sweep)));
  }
  return found;
}

/// A place that cannot be opened may take long to say so, so each job's is asked for once.
Result<> LeftoverRemoval::FindPlaces() {
  for (const auto& store : context_.stagings.Stores()) places_.insert(store);
  const store::JobPage newest = TRY(context_.store.List({}, "", kJobsSeen));
  FirstError failed;
  std::set<std::string> seen;
  for (const Job& job : newest.jobs) {
    if (!job.started_at.has_value()) continue;
    seen.insert(job.id);
    if (seen_.contains(job.id)) continue;
    const auto destination = Guarded([&]() -> Result<recipe::Destination> {
      const recipe::Recipe* recipe = TRY(context_.recipes.Find(job.recipe));
      return recipe->DestinationOf(job);
    });
    failed.Add(destination);
    if (destination.has_value()) places_.insert(destination->store);
  }
  seen_ = std::move(seen);
  return failed.result();
}

Result<> LeftoverRemoval::Run() {
  FirstError failed;
  failed.Add(FindPlaces());
  Leftovers all;
  std::erase_if(places_, [](const auto& place) { return place.expired(); });
  for (const auto& place : places_) {
    const std::shared_ptr<storage::ObjectStore> store = place.lock();
    // What was moved belongs to whoever moved it (ADR 26).
    if (store == nullptr || !store->CheckInPlace().has_value()) continue;
    const Result<Leftovers> swept =
        SweepLeftovers(context_.store, *store, kAbandonedAge, storage::Sweep::kRemoveOwn);
    failed.Add(swept);
    if (!swept.has_value()) continue;
    all.jobs += swept->jobs;
    all.objects += swept->objects;
    all.abandoned += swept->abandoned;
  }
  if (all.jobs > 0 || all.abandoned > 0) {
    context_.log.Info("leftovers removed", {{"jobs", all.jobs},
                                            {"staged_objects", all.objects},
                                            {"abandoned_uploads_and_objects", all.abandoned}});
  }
  return failed.result();
}

}  // namespace spillway::engine
