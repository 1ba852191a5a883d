#include "recipe/message_export/lake_readers.h"

#include <algorithm>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include "recipe/message_export/message_export.h"

namespace spillway::recipe {
namespace {

using engine::Job;
using engine::JobPhase;
using engine::JobState;

constexpr size_t kPage = 200;

/// 0, which keeps everything, where the plan does not say.
int64_t VersionOf(const Job& job) {
  const auto plan = nlohmann::json::parse(job.plan, nullptr, /*allow_exceptions=*/false);
  if (!plan.is_object()) return 0;
  const auto version = plan.find("lake_version");
  return version != plan.end() && version->is_number_integer() ? version->get<int64_t>() : 0;
}

void Add(LakeReaders& readers, const Job& job) {
  const bool reads = job.recipe == MessageExport::kName && job.phase < JobPhase::kCompleted &&
                     !job.expiry.has_value();
  if (!reads) return;
  if (!job.plan.empty()) {
    const int64_t version = VersionOf(job);
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

Result<LakeReaders> FindLakeReaders(store::JobStore& jobs) {
  LakeReaders readers;
  std::set<std::string> seen;
  // Jobs move meanwhile, in this order: so none is missed.
  for (const JobState state :
       {JobState::kFailed, JobState::kPending, JobState::kProcessing, JobState::kFailed}) {
    std::string cursor;
    do {
      const store::JobPage page = TRY(jobs.List({.state = state}, cursor, kPage));
      for (const Job& job : page.jobs) {
        if (seen.insert(job.id).second) Add(readers, job);
      }
      cursor = page.next_cursor;
    } while (!cursor.empty());
  }
  return readers;
}

}  // namespace spillway::recipe
