#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "store/job_store.h"

namespace spillway::store {

/// Opens a database of jobs, which is empty at first and removed with the last copy of the opener.
/// Each call opens it as another process would.
using StoreOpener = std::function<std::shared_ptr<JobStore>(Clock& clock)>;

/// What the suite runs on.
struct StoreUnderTest {
  std::string name;
  std::function<StoreOpener()> make_state;

  friend void PrintTo(const StoreUnderTest& store, std::ostream* out) { *out << store.name; }
};

/// The value, or a failed test.
template <class T>
T Must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

/// The name of the code a call failed with; "ok" where it did not.
template <class T>
std::string CodeOf(const Result<T>& result) {
  return std::string(result ? "ok" : Name(result.error().code));
}

class JobStoreConformance : public testing::TestWithParam<StoreUnderTest> {
 protected:
  static constexpr std::chrono::seconds kLease{30};
  static constexpr std::string_view kOddText = "naïve 東京 \U0001F9EA \"quoted\" 'n\nlines\\";

  std::shared_ptr<JobStore> Another() { return open_(clock_); }

  static engine::Job Request(std::string task, std::string group = "group") {
    engine::Job job;
    job.id = task;
    job.task_id = std::move(task);
    job.export_name = "messages";
    job.recipe = "rows";
    job.tenant = "tenant";
    job.group = std::move(group);
    job.parameters = R"({"from":"2026-01-01"})";
    job.requested_by = "ada";
    return job;
  }

  /// Requests are told apart by time, as they are in life.
  engine::Job Create(std::string task, std::string group = "group") {
    clock_.Advance(std::chrono::milliseconds(1));
    return Must(store_->Create(Request(std::move(task), std::move(group)), false)).job;
  }

  engine::Job Processing(std::string task) {
    std::string group = "group of " + task;
    Create(std::move(task), group);
    return Must(store_->Admit(group, 1)).value();
  }

  engine::Lease Hold(std::string_view job_id, std::string_view owner = "worker") {
    const engine::Job job = Must(store_->AcquireJob(job_id, owner, kLease));
    return {.job_id = job.id,
            .owner = job.lease_owner,
            .token = job.lease_token,
            .expires_at = job.lease_expires_at};
  }

  /// A job whose chunks wait to be claimed, `rows` planned for each.
  engine::Job Planned(std::string task, int64_t chunks, int64_t rows = 10) {
    const engine::Job job = Processing(std::move(task));
    const engine::Lease lease = Hold(job.id, "planner");
    AddChunks(lease, chunks, rows);
    return Must(store_->Update(lease, {.phase = engine::JobPhase::kProcessing,
                                       .planned = chunks * rows,
                                       .chunks_total = chunks,
                                       .plan = "plan",
                                       .release = true}));
  }

  void AddChunks(const engine::Lease& lease, int64_t chunks, int64_t rows) {
    constexpr auto kCall = static_cast<int64_t>(kNewChunksMax);
    for (int64_t first = 0; first < chunks; first += kCall) {
      std::vector<NewChunk> call;
      for (int64_t i = first; i < std::min(first + kCall, chunks); ++i) {
        call.push_back({.index = i, .spec = "spec " + std::to_string(i), .planned = rows});
      }
      Must(store_->AddChunks(lease, call));
    }
  }

  /// Chunks with an index above `after`, as they are claimed.
  static std::vector<engine::Chunk> ClaimSome(JobStore& store, std::string_view job_id,
                                              size_t limit, std::string_view owner = "worker",
                                              int64_t after = -1) {
    return Must(store.ClaimChunks(job_id, after, limit, owner, kLease)).chunks;
  }

  /// The chunk, where it can be claimed now. Another one that is given out in its place goes back.
  static std::optional<engine::Chunk> TryClaim(JobStore& store, std::string_view job_id,
                                               int64_t index, std::string_view owner) {
    const std::vector<engine::Chunk> claimed = ClaimSome(store, job_id, 1, owner, index - 1);
    if (claimed.empty()) return std::nullopt;
    if (claimed.front().index == index) return claimed.front();
    SettleOne(store, {.lease = LeaseOf(claimed.front())});
    return std::nullopt;
  }

  engine::Chunk Claimed(std::string_view job_id, int64_t index, std::string_view owner = "worker") {
    const std::optional<engine::Chunk> chunk = TryClaim(*store_, job_id, index, owner);
    if (!chunk) throw std::runtime_error("chunk " + std::to_string(index) + " is not given out");
    return *chunk;
  }

  bool GivesOut(std::string_view job_id, int64_t index) {
    return TryClaim(*store_, job_id, index, "claimant").has_value();
  }

  static engine::Lease LeaseOf(const engine::Chunk& chunk) {
    return {.job_id = chunk.job_id,
            .chunk = chunk.index,
            .owner = chunk.lease_owner,
            .token = chunk.lease_token};
  }

  static Settlement Success(const engine::Chunk& chunk, int64_t written = 10) {
    return {.lease = LeaseOf(chunk),
            .kind = Settlement::Kind::kSucceeded,
            .result = "result",
            .counts = {.planned = written, .written = written, .bytes = written * 100}};
  }

  static Settlement Failure(const engine::Chunk& chunk, Settlement::Kind kind) {
    return {.lease = LeaseOf(chunk),
            .kind = kind,
            .failure = Error{.code = ErrorCode::kUnavailable,
                             .message = "the source fell silent",
                             .retryable = true}};
  }

  static Settled SettleOne(JobStore& store, const Settlement& settlement) {
    const std::vector<Settled> settled = Must(store.Settle({&settlement, 1}));
    if (settled.size() != 1) throw std::runtime_error("one settlement was asked for");
    return settled.front();
  }

  Settled SettleOne(const Settlement& settlement) { return SettleOne(*store_, settlement); }

  /// Whether the lease was still held.
  static bool RenewOne(JobStore& store, const engine::Lease& lease) {
    const Renewal renewal{.lease = lease, .progress = {}};
    return Must(store.Renew({&renewal, 1}, kLease)).at(0);
  }

  bool CancelRequested(const std::string& job_id) {
    return Must(store_->CancelRequested({&job_id, 1})).at(0);
  }

  std::optional<engine::Chunk> ChunkAt(std::string_view job_id, int64_t index) {
    const std::vector<engine::Chunk> chunks =
        Must(store_->ListChunks(job_id, std::nullopt, index - 1, 1));
    if (chunks.empty() || chunks.front().index != index) return std::nullopt;
    return chunks.front();
  }

  /// A job at its commit point, `chunks` succeeded, in the hands of "finisher".
  engine::Lease Decided(std::string task, int64_t chunks = 1) {
    const engine::Job job = Planned(std::move(task), chunks);
    for (int64_t i = 0; i < chunks; ++i) SettleOne(Success(Claimed(job.id, i)));
    const engine::Lease lease = Hold(job.id, "finisher");
    Must(store_->Update(lease, {.phase = engine::JobPhase::kCompleted, .outcome = "outcome"}));
    return lease;
  }

  static JobUpdate ToFailed() {
    return {.state = engine::JobState::kFailed,
            .failure = Error{.code = ErrorCode::kOutOfSpace, .message = "the disk is full"},
            .actor = "worker",
            .cause = "the disk is full"};
  }

  engine::Job Succeeded(std::string task) {
    return Must(store_->Update(Decided(std::move(task)), {.state = engine::JobState::kSucceeded}));
  }

  engine::Job Failed(std::string task) {
    const engine::Job job = Processing(std::move(task));
    return Must(store_->Update(Hold(job.id), ToFailed()));
  }

  /// Jobs of several tenants in one group.
  std::string CreateOf(std::string tenant, std::string task, std::string group = "group") {
    clock_.Advance(std::chrono::milliseconds(1));
    engine::Job request = Request(std::move(task), std::move(group));
    request.tenant = std::move(tenant);
    return Must(store_->Create(request, false)).job.id;
  }

  /// The task of the job of "group" that is let in; empty for none.
  std::string AdmitNext() {
    const std::optional<engine::Job> job = Must(store_->Admit("group", 100));
    return job ? job->task_id : "";
  }

  void PlanBytes(std::string_view job_id, int64_t bytes) {
    Must(store_->Update(Hold(job_id), {.bytes_planned = bytes, .release = true}));
    EXPECT_EQ(Must(Another()->Get(job_id)).bytes_planned, bytes);
  }

  /// Lets a job of the tenant in, with so many bytes planned.
  std::string AdmittedOf(std::string tenant, const std::string& task, int64_t bytes) {
    std::string id = CreateOf(std::move(tenant), task);
    EXPECT_EQ(AdmitNext(), task);
    PlanBytes(id, bytes);
    return id;
  }

  std::vector<std::string> Expirable(Timestamp ended_before, Timestamp begun_before,
                                     engine::JobState state = engine::JobState::kSucceeded,
                                     size_t limit = 10) {
    std::vector<std::string> ids;
    for (const engine::Job& job : Must(Another()->Expirable({.export_name = "messages",
                                                             .state = state,
                                                             .ended_before = ended_before,
                                                             .begun_before = begun_before},
                                                            limit))) {
      ids.push_back(job.id);
    }
    return ids;
  }

  ManualClock clock_;
  StoreOpener open_ = GetParam().make_state();
  std::shared_ptr<JobStore> store_ = open_(clock_);
};

}  // namespace spillway::store
