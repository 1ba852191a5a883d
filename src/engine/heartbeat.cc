#include "engine/heartbeat.h"

#include <algorithm>

namespace spillway::engine {

Heartbeat::Held::Held(Heartbeat& heartbeat, Lease lease)
    : heartbeat_(heartbeat), lease_(std::move(lease)), expires_at_(lease_.expires_at) {
  std::lock_guard lock(heartbeat_.mutex_);
  entry_ = heartbeat_.held_.insert(heartbeat_.held_.end(), this);
  if (heartbeat_.stopped_) heartbeat_.Stop(*this, StopReason::kShutdown);
}

Heartbeat::Held::~Held() {
  std::lock_guard lock(heartbeat_.mutex_);
  heartbeat_.held_.erase(entry_);
}

std::optional<StopReason> Heartbeat::Held::reason() const {
  std::lock_guard lock(heartbeat_.mutex_);
  return reason_;
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
  std::vector<Lease> leases;
  {
    std::lock_guard lock(mutex_);
    for (const Held* held : held_) {
      if (!held->reason_.has_value()) leases.push_back(held->lease_);
    }
  }
  if (leases.empty()) return;
  const Timestamp asked_at = clock_.Now();
  const Result<std::vector<store::Renewed>> renewed = store_.Renew(leases, options_.lease);

  std::lock_guard lock(mutex_);
  for (Held* held : held_) {
    const auto asked = std::find_if(leases.begin(), leases.end(), [held](const Lease& lease) {
      return lease.job_id == held->lease_.job_id && lease.chunk == held->lease_.chunk &&
             lease.token == held->lease_.token;
    });
    if (asked == leases.end()) continue;
    if (!renewed.has_value()) {
      if (clock_.Now() >= held->expires_at_) Stop(*held, StopReason::kLeaseLost);
      continue;
    }
    const store::Renewed& answer = (*renewed)[static_cast<size_t>(asked - leases.begin())];
    if (!answer.held) {
      Stop(*held, StopReason::kLeaseLost);
    } else if (answer.cancel_requested) {
      Stop(*held, StopReason::kCancelRequested);
    } else {
      held->expires_at_ = asked_at + options_.lease;
    }
  }
}

void Heartbeat::Run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    Beat();
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
