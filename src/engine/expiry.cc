#include "engine/expiry.h"

#include <array>
#include <string>

#include "base/log.h"
#include "manifest/manifest.h"
#include "staging/staging.h"
#include "storage/maintenance.h"
#include "storage/objects.h"

namespace spillway::engine {
namespace {

/// The job's destination; an error unless its directory belongs to the job alone.
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
    if (auto* const maintenance = store.maintenance()) TRY(maintenance->RemoveUnfinished(prefix));
  }
  return {};
}

}  // namespace

Result<Remains> CountRemains(Context& context, const Job& job) {
  Remains remains;
  const recipe::Destination destination = TRY(OwnDestination(context, job));
  remains.manifest = destination.directory + "/" + std::string(Manifest::kName);
  for (const std::string& prefix : PrefixesOf(destination, job)) {
    TRY(storage::ForEachObject(*destination.store, prefix, [&](const storage::ObjectInfo& object) {
      remains.published |= object.key == remains.manifest;
      ++remains.objects;
      remains.bytes += static_cast<int64_t>(object.bytes);
      return Result<>();
    }));
  }
  return remains;
}

Result<bool> Expire(Context& context, const Job& job, const Remains& remains) {
  const Result<Job> begun = context.store.BeginExpiry(job, remains.objects, remains.bytes);
  if (!begun.has_value() && begun.error().code == ErrorCode::kConflict) return false;
  if (!begun.has_value()) return std::unexpected(begun.error());
  TRY(RemoveRemains(context, *begun));
  const Job expired = TRY(context.store.EndExpiry(job.id));
  context.log.Info("job expired", {{"job", expired.id},
                                   {"objects", expired.expiry->objects},
                                   {"bytes", expired.expiry->bytes}});
  return true;
}

Result<> RemoveIfExpired(Context& context, std::string_view job_id) {
  const Job job = TRY(context.store.Get(job_id));
  if (!job.expiry) return {};
  return RemoveRemains(context, job);
}

}  // namespace spillway::engine
