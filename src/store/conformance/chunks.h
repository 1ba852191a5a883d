#pragma once

#include <set>

#include "store/conformance/jobs.h"

namespace spillway::store {

using engine::Chunk;
using engine::ChunkState;

TEST_P(JobStoreConformance, ChunksAreListedInOrder) {
  const Job job = Processing("task");
  const Lease lease = Hold(job.id);
  const std::string odd = std::string(kOddText) + std::string("\0nul", 4);
  Must(store_->AddChunks(
      lease, std::vector<NewChunk>{{.index = 1, .spec = odd, .planned = 7}, {.index = 0}}));
  Must(store_->AddChunks(lease, std::vector<NewChunk>{{.index = 2, .spec = "c", .planned = 3}}));
  EXPECT_TRUE(Must(store_->ListChunks(job.id, std::nullopt, -1, 10)).empty())
      << "no plan stands yet";
  Must(store_->Update(lease, {.phase = JobPhase::kProcessing, .planned = 10, .chunks_total = 3}));

  const std::vector<Chunk> chunks = Must(store_->ListChunks(job.id, std::nullopt, -1, 10));
  ASSERT_EQ(chunks.size(), 3U);
  for (size_t i = 0; i < chunks.size(); ++i) {
    EXPECT_EQ(chunks[i].index, static_cast<int64_t>(i));
    EXPECT_EQ(chunks[i].job_id, job.id);
    EXPECT_EQ(chunks[i].state, ChunkState::kPending);
    EXPECT_EQ(chunks[i].attempts, 0);
    EXPECT_EQ(chunks[i].lease_owner + chunks[i].result, "");
  }
  EXPECT_EQ(chunks[0].spec, "");
  EXPECT_EQ(chunks[1].spec, odd);
  EXPECT_EQ(chunks[1].planned, 7);
  EXPECT_EQ(Must(store_->ListChunks(job.id, std::nullopt, 0, 1)).at(0).index, 1);
  EXPECT_TRUE(Must(store_->ListChunks(job.id, std::nullopt, 2, 10)).empty());
}

TEST_P(JobStoreConformance, ChunksAreListedByState) {
  const Job job = Planned("task", 8);
  SettleOne(Success(Claimed(job.id, 1)));
  SettleOne(Success(Claimed(job.id, 5)));
  SettleOne(Failure(Claimed(job.id, 2), Settlement::Kind::kDead));
  SettleOne(Failure(Claimed(job.id, 3), Settlement::Kind::kRetry));
  Claimed(job.id, 6);
  const auto listed = [&](ChunkState state, int64_t after, size_t limit) {
    std::vector<int64_t> indices;
    for (const Chunk& chunk : Must(store_->ListChunks(job.id, state, after, limit)))
      indices.push_back(chunk.index);
    return indices;
  };
  EXPECT_EQ(listed(ChunkState::kSucceeded, -1, 10), (std::vector<int64_t>{1, 5}));
  EXPECT_EQ(listed(ChunkState::kSucceeded, 1, 10), std::vector<int64_t>{5});
  EXPECT_EQ(listed(ChunkState::kDead, -1, 10), std::vector<int64_t>{2});
  EXPECT_EQ(listed(ChunkState::kLeased, -1, 10), std::vector<int64_t>{6});
  EXPECT_EQ(listed(ChunkState::kPending, -1, 10), (std::vector<int64_t>{0, 3, 4, 7}));
  EXPECT_EQ(listed(ChunkState::kPending, 3, 1), std::vector<int64_t>{4});
}

TEST_P(JobStoreConformance, PlanningMayBeRepeated) {
  const Job job = Processing("task");
  AddChunks(Hold(job.id, "first"), 100, 10);
  clock_.Advance(kLease);
  const Lease lease = Hold(job.id, "second");
  const std::vector<NewChunk> plan = {{.index = 0, .spec = "newer", .planned = 4},
                                      {.index = 1, .spec = "too"}};
  Must(store_->AddChunks(lease, plan));
  Must(store_->AddChunks(lease, plan));
  Must(store_->Update(lease, {.phase = JobPhase::kProcessing, .planned = 4, .chunks_total = 2}));

  const std::vector<Chunk> chunks = Must(store_->ListChunks(job.id, std::nullopt, -1, 1000));
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_EQ(chunks[0].spec, "newer");
  EXPECT_EQ(chunks[0].planned, 4);
  EXPECT_FALSE(GivesOut(job.id, 2));
  EXPECT_FALSE(GivesOut(job.id, 99));
  EXPECT_EQ(CodeOf(store_->AddChunks(lease, plan)), "conflict") << "the plan stands";
}

TEST_P(JobStoreConformance, CallsHaveTheirLimit) {
  const Job job = Planned("task", 1);
  const Job planning = Processing("planning");
  EXPECT_EQ(CodeOf(store_->AddChunks(Hold(planning.id), std::vector<NewChunk>(kNewChunksMax + 1))),
            "invalid_argument");
  EXPECT_EQ(CodeOf(store_->Settle(
                std::vector<Settlement>(kSettlementsMax + 1, Success(Claimed(job.id, 0))))),
            "invalid_argument");
  EXPECT_TRUE(Must(store_->Settle({})).empty());
  EXPECT_TRUE(Must(store_->Renew({}, kLease)).empty());
}

TEST_P(JobStoreConformance, AnExpiredLeaseIsTakenOverAndFenced) {
  const Job job = Planned("task", 1);
  const Chunk lost = Claimed(job.id, 0, "first");
  clock_.Advance(kLease - seconds(1));
  EXPECT_FALSE(GivesOut(job.id, 0));
  clock_.Advance(seconds(1));
  const Chunk held = Claimed(job.id, 0, "second");
  EXPECT_EQ(held.attempts, 2);
  EXPECT_GT(held.lease_token, lost.lease_token);

  for (const Settlement& stale :
       {Success(lost), Failure(lost, Settlement::Kind::kRetry),
        Failure(lost, Settlement::Kind::kDead), Failure(lost, Settlement::Kind::kReleased)}) {
    EXPECT_FALSE(SettleOne(stale).applied);
  }
  EXPECT_FALSE(RenewOne(*store_, LeaseOf(lost)));
  Settlement forged = Success(held);
  forged.lease.owner = "first";
  EXPECT_FALSE(SettleOne(forged).applied);
  forged = Success(held);
  --forged.lease.token;
  EXPECT_FALSE(SettleOne(forged).applied);
  EXPECT_EQ(ChunkAt(job.id, 0)->lease_owner, "second");
  EXPECT_EQ(Must(store_->Get(job.id)).counts.written, 0);
  EXPECT_TRUE(SettleOne(Success(held)).applied);
  EXPECT_FALSE(SettleOne(Success(lost)).applied);
  EXPECT_EQ(Must(store_->Get(job.id)).counts.written, 10);
}

TEST_P(JobStoreConformance, AnExpiredLeaseThatNobodyTookStillSettlesAndRenews) {
  const Job job = Planned("task", 2);
  const Chunk settled = Claimed(job.id, 0);
  const Chunk renewed = Claimed(job.id, 1);
  clock_.Advance(kLease * 3);
  EXPECT_TRUE(SettleOne(Success(settled)).applied);
  EXPECT_TRUE(RenewOne(*store_, LeaseOf(renewed)));
  EXPECT_FALSE(GivesOut(job.id, 1));
}

TEST_P(JobStoreConformance, SuccessIsCountedOnce) {
  const Job job = Planned("task", 3);
  const Chunk chunk = Claimed(job.id, 0);
  Settlement success = Success(chunk);
  success.result = std::string(kOddText);
  success.counts = {.planned = 10, .written = 5, .excluded = 3, .failed = 2, .bytes = 900};
  clock_.Advance(seconds(2));
  const std::vector<Settlement> twice = {success, success, Success(Claimed(job.id, 2))};
  const std::vector<Settled> settled = Must(store_->Settle(twice));
  ASSERT_EQ(settled.size(), 3U);
  EXPECT_TRUE(settled[0].applied);
  EXPECT_EQ(settled[0].chunks_open, 2);
  EXPECT_TRUE(settled[1].applied) << "as it was already";
  EXPECT_EQ(settled[1].chunks_open, 2);
  EXPECT_TRUE(settled[2].applied);
  EXPECT_EQ(settled[2].chunks_open, 1);

  const Job summed = Must(Another()->Get(job.id));
  EXPECT_EQ(
      summed.counts,
      (engine::Counts{.planned = 30, .written = 15, .excluded = 3, .failed = 2, .bytes = 1900}));
  EXPECT_EQ(summed.chunks_succeeded, 2);
  EXPECT_EQ(summed.chunks_open(), 1);
  EXPECT_EQ(summed.updated_at, clock_.Now());
  const Chunk stored = ChunkAt(job.id, 0).value();
  EXPECT_EQ(stored.state, ChunkState::kSucceeded);
  EXPECT_EQ(stored.result, kOddText);
  EXPECT_EQ(stored.lease_owner, "");
  EXPECT_FALSE(GivesOut(job.id, 0));
}

TEST_P(JobStoreConformance, ARepeatedSettlementIsToldWhatBecameOfTheFirst) {
  const Job job = Planned("task", 3);
  const Chunk lost = Claimed(job.id, 1, "first");
  clock_.Advance(kLease);
  const Settlement success = Success(Claimed(job.id, 0));
  const Settlement dead = Failure(Claimed(job.id, 1), Settlement::Kind::kDead);
  SettleOne(success);
  SettleOne(dead);
  SettleOne(Success(Claimed(job.id, 2)));

  const Job before = Must(store_->Get(job.id));
  clock_.Advance(seconds(1));
  const Settlement otherwise = Failure(ChunkAt(job.id, 0).value(), Settlement::Kind::kDead);
  const std::vector<Settled> settled = Must(
      Another()->Settle(std::vector<Settlement>{success, dead, Success(lost), otherwise, dead}));
  ASSERT_EQ(settled.size(), 5U);
  for (const size_t repeated : {0, 1, 4}) {
    EXPECT_TRUE(settled[repeated].applied) << repeated;
    EXPECT_EQ(settled[repeated].chunks_open, 0) << repeated;
  }
  EXPECT_FALSE(settled[2].applied) << "of an older lease";
  EXPECT_FALSE(settled[3].applied) << "the lease ended the chunk in another way";
  const Job after = Must(store_->Get(job.id));
  EXPECT_EQ(after.counts, before.counts);
  EXPECT_EQ(after.chunks_succeeded, 2);
  EXPECT_EQ(after.chunks_dead, 1);

  Must(store_->Update(Hold(job.id), ToFailed()));
  EXPECT_FALSE(SettleOne(success).applied) << "nothing is settled on a final job";
}

TEST_P(JobStoreConformance, ARetryWaitsForItsBackoff) {
  const Job job = Planned("task", 1);
  Settlement retry = Failure(Claimed(job.id, 0), Settlement::Kind::kRetry);
  retry.failure->retry_after = std::chrono::milliseconds(1500);
  retry.not_before = clock_.Now() + seconds(10);
  const Settled settled = SettleOne(retry);
  EXPECT_TRUE(settled.applied);
  EXPECT_EQ(settled.chunks_open, 1);
  const Chunk stored = ChunkAt(job.id, 0).value();
  EXPECT_EQ(stored.state, ChunkState::kPending);
  EXPECT_EQ(stored.attempts, 1);
  EXPECT_EQ(stored.not_before, retry.not_before);
  ASSERT_TRUE(stored.failure);
  EXPECT_EQ(stored.failure->code, ErrorCode::kUnavailable);
  EXPECT_EQ(stored.failure->message, "the source fell silent");
  EXPECT_TRUE(stored.failure->retryable);
  EXPECT_EQ(stored.failure->retry_after, std::chrono::milliseconds(1500));

  clock_.Advance(seconds(9));
  EXPECT_FALSE(GivesOut(job.id, 0));
  clock_.Advance(seconds(1));
  const Chunk again = Claimed(job.id, 0);
  EXPECT_EQ(again.attempts, 2);
  EXPECT_TRUE(again.failure) << "the last attempt's, until this one ends";
  SettleOne(Success(again));
  EXPECT_FALSE(ChunkAt(job.id, 0)->failure);
}

TEST_P(JobStoreConformance, ADeadChunkIsClosedWithItsCause) {
  const Job job = Planned("task", 2);
  const Chunk chunk = Claimed(job.id, 0);
  EXPECT_EQ(CodeOf(store_->Settle(std::vector<Settlement>{
                {.lease = LeaseOf(chunk), .kind = Settlement::Kind::kDead}})),
            "invalid_argument");
  const Settled settled = SettleOne(Failure(chunk, Settlement::Kind::kDead));
  EXPECT_TRUE(settled.applied);
  EXPECT_EQ(settled.chunks_open, 1);
  EXPECT_EQ(ChunkAt(job.id, 0)->state, ChunkState::kDead);
  EXPECT_EQ(ChunkAt(job.id, 0)->failure->message, "the source fell silent");
  EXPECT_EQ(Must(store_->Get(job.id)).chunks_dead, 1);
  EXPECT_EQ(Must(store_->Get(job.id)).counts.written, 0);
  clock_.Advance(kLease * 2);
  EXPECT_FALSE(GivesOut(job.id, 0));
}

TEST_P(JobStoreConformance, ALostChunkIsDeadAndRedriveRepeatsIt) {
  const Job job = Planned("task", 3);
  Settlement lost = Success(Claimed(job.id, 1));
  lost.counts = {.planned = 10, .written = 5, .excluded = 3, .failed = 2, .bytes = 900};
  for (const Settlement& settlement :
       {lost, Success(Claimed(job.id, 0)), Success(Claimed(job.id, 2))}) {
    SettleOne(settlement);
  }
  const Lease lease = Hold(job.id, "finisher");
  Must(store_->Update(lease, {.phase = JobPhase::kFinalizing}));
  const std::vector<LostChunk> gone = {
      {.index = 1,
       .counts = lost.counts,
       .cause = {.code = ErrorCode::kCorrupt, .message = "the machine was restarted"}}};
  Lease stale = lease;
  --stale.token;
  EXPECT_EQ(CodeOf(store_->MarkLost(stale, gone)), "conflict");
  EXPECT_EQ(CodeOf(store_->MarkLost(lease, std::vector<LostChunk>(91))), "invalid_argument");
  EXPECT_EQ(Must(store_->Get(job.id)).chunks_succeeded, 3);

  clock_.Advance(seconds(1));
  for (int time = 0; time < 2; ++time) {
    const Job marked = Must(store_->MarkLost(lease, gone));
    EXPECT_EQ(marked.chunks_succeeded, 2);
    EXPECT_EQ(marked.chunks_dead, 1);
    EXPECT_EQ(marked.counts, (engine::Counts{.planned = 30, .written = 20, .bytes = 2000}));
    EXPECT_EQ(marked.updated_at, clock_.Now());
  }
  const Chunk dead = ChunkAt(job.id, 1).value();
  EXPECT_EQ(dead.state, ChunkState::kDead);
  EXPECT_EQ(dead.result, "");
  EXPECT_EQ(dead.failure->message, "the machine was restarted");
  EXPECT_FALSE(SettleOne(lost).applied) << "it did not stay";

  Must(store_->Update(lease, ToFailed()));
  EXPECT_EQ(CodeOf(store_->MarkLost(lease, gone)), "conflict");
  EXPECT_EQ(Must(store_->Redrive(job.id, "ada")).phase, JobPhase::kProcessing);
  Must(store_->Admit(job.group, 1));
  const std::vector<Chunk> again = ClaimSome(*store_, job.id, 10);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again.front().index, 1);
  EXPECT_EQ(again.front().attempts, 1);
  EXPECT_EQ(SettleOne(Success(again.front())).chunks_open, 0);
  EXPECT_EQ(Must(store_->Get(job.id)).counts.written, 30);
}

TEST_P(JobStoreConformance, NothingIsLostOnceTheOutcomeIsDecided) {
  const Lease lease = Decided("task");
  EXPECT_EQ(CodeOf(store_->MarkLost(lease, std::vector<LostChunk>{{.index = 0}})), "conflict");
}

TEST_P(JobStoreConformance, AReleasedAttemptDoesNotCount) {
  const Job job = Planned("task", 1);
  const Chunk first = Claimed(job.id, 0);
  EXPECT_TRUE(SettleOne({.lease = LeaseOf(first)}).applied);
  const Chunk stored = ChunkAt(job.id, 0).value();
  EXPECT_EQ(stored.state, ChunkState::kPending);
  EXPECT_EQ(stored.attempts, 0);
  EXPECT_FALSE(stored.failure);
  EXPECT_FALSE(SettleOne({.lease = LeaseOf(first)}).applied);
  const Chunk second = Claimed(job.id, 0);
  EXPECT_EQ(second.attempts, 1);
  EXPECT_GT(second.lease_token, first.lease_token);
}

TEST_P(JobStoreConformance, WorkThatWasDoneCountsAlthoughTheJobIsToStop) {
  const Job job = Planned("task", 2);
  const Chunk done = Claimed(job.id, 0);
  const Chunk released = Claimed(job.id, 1);
  Must(store_->RequestCancel(job.id, "ada", ""));
  EXPECT_TRUE(SettleOne(Success(done)).applied);
  EXPECT_TRUE(SettleOne({.lease = LeaseOf(released)}).applied);
  EXPECT_EQ(Must(store_->Get(job.id)).chunks_succeeded, 1);
}

TEST_P(JobStoreConformance, NothingIsSettledOnAFailedJob) {
  const Job job = Planned("task", 1);
  const Chunk chunk = Claimed(job.id, 0);
  Must(store_->Update(Hold(job.id), ToFailed()));
  EXPECT_FALSE(SettleOne(Success(chunk)).applied);
  EXPECT_FALSE(RenewOne(*store_, LeaseOf(chunk)));
  EXPECT_EQ(Must(store_->Get(job.id)).counts.written, 0);

  Must(store_->Redrive(job.id, "ada"));
  Must(store_->Admit(job.group, 1));
  EXPECT_TRUE(SettleOne(Success(chunk)).applied) << "nobody claimed it since";
}

TEST_P(JobStoreConformance, OneCallMaySettleSeveralJobs) {
  const Job one = Planned("one", 2);
  const Job two = Planned("two", 1);
  const Chunk lost = Claimed(one.id, 1, "first");
  clock_.Advance(kLease);
  Claimed(one.id, 1, "second");
  const std::vector<Settlement> both = {Success(Claimed(two.id, 0)), Success(lost),
                                        Success(Claimed(one.id, 0))};
  const std::vector<Settled> settled = Must(store_->Settle(both));
  EXPECT_TRUE(settled[0].applied);
  EXPECT_EQ(settled[0].chunks_open, 0);
  EXPECT_FALSE(settled[1].applied);
  EXPECT_TRUE(settled[2].applied);
  EXPECT_EQ(settled[2].chunks_open, 1);
  EXPECT_EQ(Must(store_->Get(one.id)).counts.written, 10);
  EXPECT_EQ(Must(store_->Get(two.id)).counts.written, 10);
}

TEST_P(JobStoreConformance, HeartbeatsExtendWhatIsHeld) {
  const Job job = Planned("task", 3);
  const Chunk held = Claimed(job.id, 0);
  const Chunk settled = Claimed(job.id, 1);
  SettleOne(Success(settled));
  const Lease of_job = Hold(job.id);
  clock_.Advance(kLease - seconds(1));
  Lease never = LeaseOf(held);
  never.chunk = 2;
  const std::vector<Renewal> renewals = {
      {.lease = LeaseOf(settled)}, {.lease = LeaseOf(held)}, {.lease = of_job}, {.lease = never}};
  EXPECT_EQ(Must(Another()->Renew(renewals, kLease)),
            (std::vector<bool>{false, true, true, false}));
  clock_.Advance(kLease - seconds(1));
  EXPECT_FALSE(GivesOut(job.id, 0));
  EXPECT_EQ(CodeOf(store_->AcquireJob(job.id, "another", kLease)), "conflict");
  EXPECT_EQ(ChunkAt(job.id, 0)->attempts, 1);
}

TEST_P(JobStoreConformance, TenThousandChunks) {
  constexpr int64_t kChunks = 10'000;
  constexpr int64_t kCall = 90;
  const Job job = Planned("task", kChunks, 1);
  int64_t open = kChunks;
  for (int64_t first = 0; first < kChunks; first += kCall) {
    std::vector<Settlement> settlements;
    for (const Chunk& chunk : ClaimSome(*store_, job.id, kCall))
      settlements.push_back(Success(chunk, 1));
    for (const Settled& settled : Must(store_->Settle(settlements)))
      EXPECT_EQ(settled.chunks_open, --open);
  }
  EXPECT_EQ(open, 0);
  EXPECT_EQ(Must(store_->Get(job.id)).counts.written, kChunks);
  int64_t next = 0;
  for (int64_t after = -1;;) {
    const std::vector<Chunk> page =
        Must(store_->ListChunks(job.id, ChunkState::kSucceeded, after, 999));
    if (page.empty()) break;
    for (const Chunk& chunk : page) EXPECT_EQ(chunk.index, next++);
    after = page.back().index;
  }
  EXPECT_EQ(next, kChunks);
}

}  // namespace spillway::store
