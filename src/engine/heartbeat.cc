#include "engine/heartbeat.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "engine/guarded.h"

namespace spillway::engine {

namespace {

/// How long progress that was reported may wait for a renewal of its own.
constexpr std::chrono::seconds kReportsEvery{1};

}  // namespace

Heartbeat::Held::Held(Heartbeat& heartbeat, Lease lease, std::string position)
    : heartbeat_(heartbeat), lease_(std::move(lease)), expires_at_(lease_.expires_at) {
  progress_.position = std::move(position);
  std::lock_guard lock(heartbeat_.mutex_);
  number_ = ++heartbeat_.numbered_;
  entry_ = heartbeat_.held_.insert(heartbeat_.held_.end(), this);
  if (heartbeat_.stopped_) heartbeat_.Stop(*this, StopReason::kShutdown);
}

Heartbeat::Held::~Held() {
  std::lock_guard lock(heartbeat_.mutex_);
  heartbeat_.held_.erase(entry_);
}

Heartbeat::HiddenMessage::HiddenMessage(Heartbeat& heartbeat, std::string handle)
    : heartbeat_(heartbeat) {
  std::lock_guard lock(heartbeat_.mutex_);
  entry_ = heartbeat_.messages_.insert(heartbeat_.messages_.end(), std::move(handle));
}

Heartbeat::HiddenMessage::~HiddenMessage() {
  std::lock_guard lock(heartbeat_.mutex_);
  heartbeat_.messages_.erase(entry_);
}

std::optional<StopReason> Heartbeat::Held::reason() const {
  std::lock_guard lock(heartbeat_.mutex_);
  return reason_;
}

void Heartbeat::Held::Report(ChunkProgress progress) {
  std::lock_guard lock(heartbeat_.mutex_);
  if (progress.position.empty()) progress.position = std::move(progress_.position);
  progress_ = std::move(progress);
  reported_ = true;
}

std::string Heartbeat::Held::position() const {
  std::lock_guard lock(heartbeat_.mutex_);
  return progress_.position;
}

void Heartbeat::Stop(Held& held, StopReason reason) {
  if (held.reason_.has_value()) return;
  held.reason_ = reason;
  held.stop_.request_stop();
}

bool Heartbeat::Holds(std::string_view job_id) const {
  std::lock_guard lock(mutex_);
  return std::ranges::any_of(held_, [job_id](const Held* held) {
    return held->lease_.chunk == Lease::kJob && held->lease_.job_id == job_id;
  });
}

void Heartbeat::Beat() {
  StopCancelled();
  RenewLeases();
  ExtendMessages();
}

void Heartbeat::StopCancelled() {
  std::vector<std::string> jobs;
  {
    std::lock_guard lock(mutex_);
    for (const Held* held : held_) {
      if (!held->reason_.has_value()) jobs.push_back(held->lease_.job_id);
    }
  }
  std::ranges::sort(jobs);
  jobs.erase(std::ranges::unique(jobs).begin(), jobs.end());
  if (jobs.empty()) return;
  const Result<std::vector<bool>> requested = store_.CancelRequested(jobs);
  if (!requested.has_value()) return;  // The next beat asks again.
  std::lock_guard lock(mutex_);
  for (Held* held : held_) {
    const auto job = std::ranges::lower_bound(jobs, held->lease_.job_id);
    if (job != jobs.end() && *job == held->lease_.job_id &&
        (*requested)[static_cast<size_t>(job - jobs.begin())])
      Stop(*held, StopReason::kCancelRequested);
  }
}

void Heartbeat::RenewLeases() {
  const Timestamp asked_at = clock_.Now();
  const std::chrono::milliseconds remaining = options_.lease - options_.lease / 3;
  const std::chrono::milliseconds reporting =
      std::max(remaining, options_.lease - std::chrono::milliseconds(kReportsEvery));
  std::vector<store::Renewal> renewals;
  std::vector<uint64_t> numbers;
  {
    std::lock_guard lock(mutex_);
    for (Held* held : held_) {
      const std::chrono::milliseconds due = held->reported_ ? reporting : remaining;
      if (held->reason_.has_value() || held->expires_at_ - asked_at > due) continue;
      renewals.push_back({.lease = held->lease_, .progress = held->progress_});
      if (!held->reported_) renewals.back().progress.position.clear();
      held->reported_ = false;
      numbers.push_back(held->number_);
    }
  }
  if (renewals.empty()) return;
  const Result<std::vector<bool>> renewed = store_.Renew(renewals, options_.lease);

  std::lock_guard lock(mutex_);
  size_t asked = 0;
  for (Held* held : held_) {
    // Those in between were released meanwhile.
    while (asked < numbers.size() && numbers[asked] < held->number_) ++asked;
    if (asked == numbers.size()) return;
    if (numbers[asked] != held->number_) continue;
    // Its progress is not written: the next beat tries again.
    if (!renewed.has_value()) held->reported_ = true;
    if (renewed.has_value() && (*renewed)[asked]) {
      held->expires_at_ = asked_at + options_.lease;
    } else if (renewed.has_value() || clock_.Now() >= held->expires_at_) {
      Stop(*held, StopReason::kLeaseLost);
    }
  }
}

void Heartbeat::ExtendMessages() {
  const Timestamp now = clock_.Now();
  if (extended_at_.has_value() && now - *extended_at_ < options_.lease / 3) return;
  std::vector<std::string> handles;
  {
    std::lock_guard lock(mutex_);
    handles.assign(messages_.begin(), messages_.end());
  }
  if (handles.empty()) return;
  // If this fails, a message may become visible early. That costs somebody a look, no more: its job
  // and chunks are leased.
  if (queue_.Extend(handles, options_.lease).has_value()) extended_at_ = now;
}

void Heartbeat::Run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    static_cast<void>(Guarded([this]() -> Result<> {
      Beat();
      return {};
    }));
    clock_.SleepFor(options_.heartbeat, stop);
  }
  StopAll();
}

void Heartbeat::StopAll() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  for (Held* held : held_) Stop(*held, StopReason::kShutdown);
}

}  // namespace spillway::engine
