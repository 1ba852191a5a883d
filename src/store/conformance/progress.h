#pragma once

#include "store/conformance/job_store_fixture.h"

/// How far the work on a chunk is, and from where another attempt goes on.
namespace spillway::store {

TEST_P(JobStoreConformance, ProgressIsKeptWithTheLease) {
  const Job job = Planned("task", 2);
  const Chunk first = Claimed(job.id, 0);
  EXPECT_EQ(first.progress.rows, 0);
  EXPECT_EQ(first.progress.position, "");
  const std::string position(kOddText);
  const Renewal renewal{.lease = LeaseOf(first),
                        .progress = {.rows = 5, .bytes = 50, .position = position}};
  EXPECT_TRUE(Must(Another()->Renew({&renewal, 1}, kLease)).at(0));
  const Chunk kept = ChunkAt(job.id, 0).value();
  EXPECT_EQ(kept.progress.rows, 5);
  EXPECT_EQ(kept.progress.bytes, 50);
  EXPECT_EQ(kept.progress.position, position);
  EXPECT_EQ(ChunkAt(job.id, 1)->progress.rows, 0);
  EXPECT_EQ(Must(store_->Get(job.id)).counts.written, 0);

  clock_.Advance(kLease);
  const Chunk second = Claimed(job.id, 0, "second");
  EXPECT_EQ(second.progress.rows, 0) << "it has done nothing yet";
  EXPECT_EQ(second.progress.bytes, 0);
  EXPECT_EQ(second.progress.position, position);
  EXPECT_EQ(ChunkAt(job.id, 0)->progress.rows, 0);
}

TEST_P(JobStoreConformance, ALostLeaseWritesNoProgress) {
  const Job job = Planned("task", 1);
  const Chunk lost = Claimed(job.id, 0, "first");
  clock_.Advance(kLease);
  const Chunk held = Claimed(job.id, 0, "second");
  const Renewal late{.lease = LeaseOf(lost),
                     .progress = {.rows = 9, .bytes = 9, .position = "of the first"}};
  EXPECT_FALSE(Must(store_->Renew({&late, 1}, kLease)).at(0));
  EXPECT_EQ(ChunkAt(job.id, 0)->progress.rows, 0);
  EXPECT_EQ(ChunkAt(job.id, 0)->progress.position, "");

  const std::vector<Renewal> both = {
      late, {.lease = LeaseOf(held), .progress = {.rows = 1, .bytes = 2, .position = "own"}}};
  EXPECT_EQ(Must(store_->Renew(both, kLease)), (std::vector<bool>{false, true}));
  EXPECT_EQ(ChunkAt(job.id, 0)->progress.position, "own");
  Settlement settlement{.lease = LeaseOf(lost), .position = "of the first"};
  EXPECT_FALSE(SettleOne(settlement).applied);
  EXPECT_EQ(ChunkAt(job.id, 0)->progress.position, "own");
}

TEST_P(JobStoreConformance, APositionIsKeptUntilTheChunkHasSucceededOrDied) {
  const Job job = Planned("task", 1);
  const auto work = [&](Settlement::Kind kind, const std::string& position) {
    const Chunk chunk = Claimed(job.id, 0);
    const Renewal renewal{.lease = LeaseOf(chunk),
                          .progress = {.rows = 3, .bytes = 30, .position = "on the way"}};
    EXPECT_TRUE(Must(store_->Renew({&renewal, 1}, kLease)).at(0));
    Settlement settlement = Failure(chunk, kind);
    settlement.not_before = clock_.Now();
    settlement.position = position;
    EXPECT_TRUE(SettleOne(settlement).applied);
    EXPECT_EQ(ChunkAt(job.id, 0)->progress.rows, 0) << "nobody is at it";
    EXPECT_EQ(ChunkAt(job.id, 0)->progress.bytes, 0);
    return ChunkAt(job.id, 0)->progress.position;
  };
  EXPECT_EQ(work(Settlement::Kind::kRetry, "retried"), "retried");
  EXPECT_EQ(work(Settlement::Kind::kReleased, "released"), "released");
  EXPECT_EQ(Claimed(job.id, 0).progress.position, "released");
  clock_.Advance(kLease);
  EXPECT_EQ(work(Settlement::Kind::kDead, "dead"), "");

  Must(store_->Update(Hold(job.id), ToFailed()));
  Must(store_->Redrive(job.id, "ada"));
  Must(store_->Admit(job.group, 1));
  const Chunk last = Claimed(job.id, 0);
  EXPECT_EQ(last.progress.position, "");
  const Renewal renewal{.lease = LeaseOf(last),
                        .progress = {.rows = 3, .bytes = 30, .position = "on the way"}};
  EXPECT_TRUE(Must(store_->Renew({&renewal, 1}, kLease)).at(0));
  Settlement success = Success(last);
  success.position = "at the end";
  EXPECT_TRUE(SettleOne(success).applied);
  EXPECT_EQ(ChunkAt(job.id, 0)->progress.position, "");
  EXPECT_EQ(ChunkAt(job.id, 0)->progress.rows, 0);
}

TEST_P(JobStoreConformance, APostponementForgivesTheAttemptsBefore) {
  const Job job = Planned("task", 1);
  const auto settle = [&](Settlement::Kind kind) {
    const Chunk chunk = Claimed(job.id, 0);
    Settlement settlement = Failure(chunk, kind);
    settlement.not_before = clock_.Now();
    settlement.position = "kept";
    EXPECT_TRUE(SettleOne(settlement).applied);
    EXPECT_EQ(ChunkAt(job.id, 0)->progress.position, "kept");
    return ChunkAt(job.id, 0)->attempts;
  };
  EXPECT_EQ(settle(Settlement::Kind::kRetry), 1);
  EXPECT_EQ(settle(Settlement::Kind::kRetry), 2);
  EXPECT_EQ(settle(Settlement::Kind::kReleased), 2);
  EXPECT_EQ(settle(Settlement::Kind::kPostponed), 0);
  EXPECT_EQ(ChunkAt(job.id, 0)->state, ChunkState::kPending);
  EXPECT_EQ(settle(Settlement::Kind::kRetry), 1);
}

TEST_P(JobStoreConformance, APositionThatAdvancesForgivesTheAttemptsBefore) {
  const Job job = Planned("task", 1);
  const auto settle = [&](Settlement::Kind kind, const std::string& position) {
    Settlement settlement = Failure(Claimed(job.id, 0), kind);
    settlement.not_before = clock_.Now();
    settlement.position = position;
    EXPECT_TRUE(SettleOne(settlement).applied);
    return ChunkAt(job.id, 0)->attempts;
  };
  EXPECT_EQ(settle(Settlement::Kind::kRetry, ""), 1);
  EXPECT_EQ(settle(Settlement::Kind::kRetry, ""), 2);
  EXPECT_EQ(settle(Settlement::Kind::kRetry, "a"), 1) << "this one is the first from there";
  EXPECT_EQ(settle(Settlement::Kind::kRetry, "a"), 2);
  EXPECT_EQ(settle(Settlement::Kind::kReleased, "a"), 2);
  EXPECT_EQ(settle(Settlement::Kind::kReleased, "b"), 0);
  EXPECT_EQ(settle(Settlement::Kind::kRetry, "b"), 1);
  EXPECT_EQ(settle(Settlement::Kind::kPostponed, "b"), 0);
}

/// Its worker may end without a word.
TEST_P(JobStoreConformance, ARenewalThatAdvancesForgivesTheAttemptsBefore) {
  const std::string odd(kOddText);
  const Job job = Planned("task", 1);
  const auto renew = [&](const Chunk& chunk, const std::string& position) {
    const Renewal renewal{.lease = LeaseOf(chunk),
                          .progress = {.rows = 3, .bytes = 30, .position = position}};
    EXPECT_TRUE(Must(store_->Renew({&renewal, 1}, kLease)).at(0));
    return ChunkAt(job.id, 0).value();
  };
  Claimed(job.id, 0);
  clock_.Advance(kLease);
  const Chunk second = Claimed(job.id, 0);
  EXPECT_EQ(second.attempts, 2);
  EXPECT_EQ(renew(second, "").attempts, 2);
  EXPECT_EQ(renew(second, odd).attempts, 1);
  EXPECT_EQ(renew(second, odd).attempts, 1);
  const Chunk kept = renew(second, "");
  EXPECT_EQ(kept.progress.position, odd) << "nothing was told since";
  EXPECT_EQ(kept.progress.rows, 3);
  clock_.Advance(kLease);
  const Chunk third = Claimed(job.id, 0);
  EXPECT_EQ(third.attempts, 2);
  EXPECT_EQ(renew(third, odd).attempts, 2) << "it is where the second was";
  EXPECT_EQ(renew(third, "further").attempts, 1);
}

TEST_P(JobStoreConformance, WhatIsTooLongForARecordIsRefused) {
  const Job job = Planned("task", 1);
  const Chunk chunk = Claimed(job.id, 0);
  Settlement settlement = Success(chunk);
  settlement.result = std::string(engine::kChunkFieldBytesMax + 1, 'x');
  EXPECT_EQ(CodeOf(store_->Settle({&settlement, 1})), "invalid_argument");
  Settlement released{.lease = LeaseOf(chunk),
                      .position = std::string(engine::kChunkFieldBytesMax + 1, 'x')};
  EXPECT_EQ(CodeOf(store_->Settle({&released, 1})), "invalid_argument");
  const Renewal renewal{.lease = LeaseOf(chunk), .progress = {.position = released.position}};
  EXPECT_EQ(CodeOf(store_->Renew({&renewal, 1}, kLease)), "invalid_argument");
  EXPECT_EQ(ChunkAt(job.id, 0)->state, ChunkState::kLeased);
  settlement.result.pop_back();
  EXPECT_TRUE(SettleOne(settlement).applied);
}

}  // namespace spillway::store
