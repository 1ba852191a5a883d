#include "maintenance/expirer.h"

#include <utility>

#include "base/log.h"

namespace spillway::engine {
namespace {

constexpr size_t kJobsASweep = 50;

Error ManifestMissing(const std::string& manifest) {
  return {.code = ErrorCode::kNotFound,
          .message = manifest +
                     " is not where it was published: is the destination mounted, and the right "
                     "one? If somebody removed it, let the job expire as one whose manifest is "
                     "missing"};
}

/// What the job still has, or why it cannot expire.
Expirable Examine(Context& context, Missing missing, Job job) {
  Expirable due{.job = std::move(job)};
  Result<Remains> remains = CountRemains(context, due.job);
  if (!remains.has_value()) {
    due.error = remains.error();
    return due;
  }
  due.remains = *std::move(remains);
  due.is_missing = missing == Missing::kKept && !due.remains.published &&
                   due.job.state == JobState::kSucceeded && !due.job.expiry;
  if (due.is_missing) due.error = ManifestMissing(due.remains.manifest);
  return due;
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
    due.push_back(Examine(context, missing_, std::move(job)));
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
  return Expire(context, due.job, due.remains);
}

Result<> ExpireDue(Context& context, std::span<ExpiryWalk> walks, std::vector<std::string>& expired,
                   std::stop_token stop) {
  FirstError failed;
  for (ExpiryWalk& walk : walks) {
    const Result<std::vector<Expirable>> page = walk.Next(context, kJobsASweep, stop);
    failed.Add(page);
    if (!page.has_value()) continue;
    for (const Expirable& due : *page) {
      if (stop.stop_requested()) break;
      const Result<bool> done = Expire(context, due);
      if (!done.has_value()) {
        context.log.Error("job cannot expire",
                          {{"job", due.job.id}, {"error", done.error().message}});
      } else if (*done) {
        expired.push_back(due.job.id);
      }
    }
  }
  return failed.result();
}

void SecondLook::Add(std::span<const std::string> job_ids) {
  const Timestamp due_at = context_.clock.Now() + context_.options.lease;
  for (const std::string& job_id : job_ids)
    expired_.push_back({.job_id = job_id, .due_at = due_at});
}

Result<> SecondLook::Run(std::stop_token stop) {
  FirstError failed;
  std::erase_if(expired_, [&](const Expired& expired) {
    if (stop.stop_requested() || context_.clock.Now() < expired.due_at) return false;
    const Result<> removed = RemoveIfExpired(context_, expired.job_id);
    failed.Add(removed);
    return removed.has_value();
  });
  return failed.result();
}

}  // namespace spillway::engine
