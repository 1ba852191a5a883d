#include "maintenance/lake_readers.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

namespace spillway::engine {
namespace {

constexpr size_t kPage = 200;

/// The version of the lake that a plan names; none where it names none.
std::optional<int64_t> VersionOf(const Job& job) {
  const auto plan = nlohmann::json::parse(job.plan, nullptr, /*allow_exceptions=*/false);
  if (!plan.is_object()) return std::nullopt;
  const auto version = plan.find("lake_version");
  if (version == plan.end() || !version->is_number_integer()) return std::nullopt;
  return version->get<int64_t>();
}

bool ReadsLake(const recipe::Recipes& recipes, const Job& job) {
  const auto recipe = recipes.Find(job.recipe);
  return recipe.has_value() ? (*recipe)->reads_lake() : VersionOf(job).has_value();
}

void Add(LakeReaders& readers, const recipe::Recipes& recipes, const Job& job) {
  const bool may_read = job.phase < JobPhase::kCompleted && !job.expiry.has_value();
  if (!may_read || !ReadsLake(recipes, job)) return;
  if (!job.plan.empty()) {
    const int64_t version = VersionOf(job).value_or(0);  // 0 keeps everything.
    readers.oldest_version = std::min(readers.oldest_version.value_or(version), version);
  } else if (job.state == JobState::kProcessing) {
    const Timestamp since = job.started_at.value_or(job.created_at);
    readers.planning_since = std::min(readers.planning_since.value_or(since), since);
  } else {
    return;  // It will be planned on the newest version.
  }
  ++readers.jobs;
}

}  // namespace

Result<LakeReaders> FindLakeReaders(store::JobStore& jobs, const recipe::Recipes& recipes) {
  LakeReaders readers;
  std::set<std::string> seen;
  // Jobs move meanwhile, in this order: so none is missed.
  for (const JobState state :
       {JobState::kFailed, JobState::kPending, JobState::kProcessing, JobState::kFailed}) {
    std::string cursor;
    do {
      const store::JobPage page = TRY(jobs.List({.state = state}, cursor, kPage));
      for (const Job& job : page.jobs) {
        if (seen.insert(job.id).second) Add(readers, recipes, job);
      }
      cursor = page.next_cursor;
    } while (!cursor.empty());
  }
  return readers;
}

}  // namespace spillway::engine
