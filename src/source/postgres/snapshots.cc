#include "source/postgres/snapshots.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace spillway::postgres_source {
namespace {

constexpr std::chrono::seconds kLook{1};
constexpr std::chrono::seconds kIdleMax{5};

std::string KeyOf(const ReadOptions& options) {
  return options.snapshot + (options.row_security ? "\n+" : "\n") + options.time_zone + "\n" +
         std::to_string(options.statement_timeout.count()) + "\n" + options.address;
}

}  // namespace

Snapshots::Snapshots(IsOver is_over) : is_over_(std::move(is_over)) {}

Snapshots::~Snapshots() = default;

Snapshots::Borrowed::~Borrowed() {
  if (reader_ != nullptr && reader_->usable())
    snapshots_->Return(std::move(key_), std::move(reader_));
}

void Snapshots::Keep(std::string job_id, std::string snapshot,
                     std::unique_ptr<QueryReader> holder) {
  const std::lock_guard lock(mutex_);
  held_.push_back(
      {.job_id = std::move(job_id), .snapshot = std::move(snapshot), .reader = std::move(holder)});
  if (!sweeper_.joinable())
    sweeper_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

bool Snapshots::AreNeeded() {
  return std::ranges::any_of(HeldJobs(), [this](const auto& job_id) { return !is_over_(job_id); });
}

std::vector<std::string> Snapshots::HeldJobs() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> jobs;
  for (const Held& one : held_) jobs.push_back(one.job_id);
  return jobs;
}

Result<std::shared_ptr<QueryReader>> Snapshots::BorrowHolder(std::string_view job_id,
                                                             const ReadOptions& reading,
                                                             std::stop_token stop) {
  if (auto held = TRY(FindHolder(job_id, reading.snapshot)); held != nullptr) return held;
  // Once that session is gone, its snapshot is gone too, and nobody can read this any more.
  TRY(QueryReader::Open(reading, std::move(stop)));
  return std::unexpected(
      Error{.code = ErrorCode::kUnavailable,
            .message = "this export can only be read by the session that counted its rows, which "
                       "is another process's",
            .elsewhere = true});
}

Result<std::shared_ptr<QueryReader>> Snapshots::FindHolder(std::string_view job_id,
                                                           std::string_view snapshot) {
  const std::lock_guard lock(mutex_);
  // A job may have been planned more than once; look for the plan that it has.
  const auto found = std::ranges::find_if(
      held_, [&](const Held& held) { return held.job_id == job_id && held.snapshot == snapshot; });
  if (found == held_.end()) return nullptr;
  if (found->reader.use_count() > 1) {
    return FailTransient(ErrorCode::kUnavailable,
                         "the only session that can read this export is still reading it for an "
                         "earlier attempt");
  }
  if (!found->reader->usable()) {
    return Fail(
        ErrorCode::kConflict,
        found->reader->connection().server() +
            ": the only session that could read this export was lost; run the export again");
  }
  return found->reader;
}

Result<Snapshots::Borrowed> Snapshots::Borrow(const ReadOptions& options, std::stop_token stop) {
  std::string key = KeyOf(options);
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(idle_, key, &Idle::key);
    if (found != idle_.end()) {
      std::unique_ptr<QueryReader> reader = std::move(found->reader);
      idle_.erase(found);
      return Borrowed(*this, std::move(key), std::move(reader));
    }
  }
  auto reader = TRY(QueryReader::Open(options, std::move(stop)));
  return Borrowed(*this, std::move(key), std::move(reader));
}

void Snapshots::Return(std::string key, std::unique_ptr<QueryReader> reader) {
  const std::lock_guard lock(mutex_);
  idle_.push_back({.key = std::move(key),
                   .reader = std::move(reader),
                   .since = std::chrono::steady_clock::now()});
  if (!sweeper_.joinable())
    sweeper_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void Snapshots::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, kLook, [] { return false; });
    }
    if (!stop.stop_requested()) DropWhatIsOver();
  }
}

void Snapshots::DropWhatIsOver() {
  std::list<Idle> idle;
  std::list<Held> held;
  {
    const std::lock_guard lock(mutex_);
    const auto oldest = std::chrono::steady_clock::now() - kIdleMax;
    for (auto it = idle_.begin(); it != idle_.end();) {
      const auto next = std::next(it);
      if (it->since < oldest) idle.splice(idle.end(), idle_, it);
      it = next;
    }
  }
  for (const std::string& job_id : HeldJobs()) {
    if (!is_over_(job_id)) continue;
    const std::lock_guard lock(mutex_);
    for (auto it = held_.begin(); it != held_.end();) {
      const auto next = std::next(it);
      if (it->job_id == job_id) held.splice(held.end(), held_, it);
      it = next;
    }
  }
  // Their sessions end here, without the lock.
}

}  // namespace spillway::postgres_source
