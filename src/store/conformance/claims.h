#pragma once

#include <set>

#include "store/conformance/chunks.h"

namespace spillway::store {

inline std::vector<int64_t> IndicesOf(const std::vector<Chunk>& chunks) {
  std::vector<int64_t> indices;
  for (const Chunk& chunk : chunks) indices.push_back(chunk.index);
  return indices;
}

TEST_P(JobStoreConformance, AClaimGivesTheChunkToOneOwner) {
  const Job job = Planned("task", 2);
  const Chunk chunk = Claimed(job.id, 1, "first");
  EXPECT_EQ(chunk.job_id, job.id);
  EXPECT_EQ(chunk.index, 1);
  EXPECT_EQ(chunk.state, ChunkState::kLeased);
  EXPECT_EQ(chunk.spec, "spec 1");
  EXPECT_EQ(chunk.planned, 10);
  EXPECT_EQ(chunk.attempts, 1);
  EXPECT_EQ(chunk.lease_owner, "first");
  EXPECT_EQ(chunk.lease_token, 1);
  EXPECT_EQ(chunk.lease_expires_at, clock_.Now() + kLease);
  EXPECT_EQ(ChunkAt(job.id, 1)->lease_expires_at, chunk.lease_expires_at);

  EXPECT_FALSE(TryClaim(*Another(), job.id, 1, "first")) << "its owner asks twice";
  EXPECT_EQ(CodeOf(store_->ClaimChunks(job.id, -1, 1, "", kLease)), "invalid_argument");
}

TEST_P(JobStoreConformance, ChunksAreClaimedInOrder) {
  const Job job = Planned("task", 9);
  SettleOne(Success(Claimed(job.id, 1)));
  SettleOne(Failure(Claimed(job.id, 2), Settlement::Kind::kDead));
  Claimed(job.id, 4);
  Settlement retry = Failure(Claimed(job.id, 5), Settlement::Kind::kRetry);
  retry.not_before = clock_.Now() + seconds(10);
  SettleOne(retry);
  const auto claim = [&](int64_t after, size_t limit) {
    return Must(store_->ClaimChunks(job.id, after, limit, "worker", kLease));
  };
  EXPECT_TRUE(claim(-1, 0).chunks.empty());
  EXPECT_EQ(IndicesOf(claim(7, 10).chunks), std::vector<int64_t>{8});
  const Claims first = claim(-1, 3);
  EXPECT_EQ(IndicesOf(first.chunks), (std::vector<int64_t>{0, 3, 6}));
  EXPECT_FALSE(first.again_at) << "there were chunks";
  EXPECT_FALSE(first.cancel_requested);
  EXPECT_EQ(first.chunks[1].spec, "spec 3");
  EXPECT_EQ(first.chunks[1].lease_owner, "worker");
  EXPECT_EQ(IndicesOf(claim(-1, 3).chunks), std::vector<int64_t>{7});
  EXPECT_TRUE(claim(-1, 3).chunks.empty());
}

TEST_P(JobStoreConformance, ChunksThatPausedComeAfterThoseThatDidNot) {
  const Job job = Planned("task", 5);
  const auto pause = [&](int64_t index, seconds duration) {
    Settlement retry = Failure(Claimed(job.id, index), Settlement::Kind::kRetry);
    retry.not_before = clock_.Now() + duration;
    SettleOne(retry);
  };
  pause(0, seconds(20));
  pause(1, seconds(10));
  clock_.Advance(seconds(20));
  EXPECT_EQ(IndicesOf(ClaimSome(*store_, job.id, 2)), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(IndicesOf(ClaimSome(*store_, job.id, 2)), (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(IndicesOf(ClaimSome(*store_, job.id, 2)), std::vector<int64_t>{0});
}

TEST_P(JobStoreConformance, OneClaimHasItsLimit) {
  const Job job = Planned("task", kSettlementsMax + 100);
  EXPECT_EQ(ClaimSome(*store_, job.id, 10'000).size(), kSettlementsMax);
  EXPECT_EQ(ClaimSome(*store_, job.id, 10'000).size(), 100U);
}

TEST_P(JobStoreConformance, PausedChunksSayWhenToAskAgain) {
  const Job job = Planned("task", 5);
  SettleOne(Success(Claimed(job.id, 3)));
  SettleOne(Failure(Claimed(job.id, 2), Settlement::Kind::kDead));
  Claimed(job.id, 4);
  const Timestamp now = clock_.Now();
  for (const int64_t index : {0, 1}) {
    Settlement retry = Failure(Claimed(job.id, index), Settlement::Kind::kRetry);
    retry.not_before = now + seconds(10 - 4 * index);
    SettleOne(retry);
  }
  const auto claim = [&](int64_t after) {
    return Must(store_->ClaimChunks(job.id, after, 10, "worker", kLease));
  };
  EXPECT_TRUE(claim(-1).chunks.empty());
  EXPECT_EQ(claim(-1).again_at, now + seconds(6));
  EXPECT_EQ(claim(0).again_at, now + seconds(6));
  EXPECT_FALSE(claim(1).again_at) << "what is left is settled, or in somebody's hands";
  clock_.Advance(seconds(5));
  EXPECT_EQ(claim(-1).again_at, now + seconds(6));
  clock_.Advance(seconds(1));
  const Claims due = claim(-1);
  EXPECT_EQ(IndicesOf(due.chunks), std::vector<int64_t>{1});
  EXPECT_FALSE(due.again_at);
  EXPECT_EQ(claim(-1).again_at, now + seconds(10));
  clock_.Advance(seconds(4));
  EXPECT_EQ(IndicesOf(claim(-1).chunks), std::vector<int64_t>{0});
  EXPECT_FALSE(claim(-1).again_at);
}

TEST_P(JobStoreConformance, ExpiredLeasesAreGivenOutAgainInOrder) {
  const Job job = Planned("task", 6);
  Claimed(job.id, 3, "lost");
  Claimed(job.id, 0, "lost");
  clock_.Advance(kLease / 2);
  Claimed(job.id, 1, "alive");
  clock_.Advance(kLease / 2);
  const std::vector<Chunk> chunks = ClaimSome(*store_, job.id, 4, "next");
  ASSERT_EQ(IndicesOf(chunks), (std::vector<int64_t>{0, 2, 3, 4}));
  for (const Chunk& chunk : chunks) {
    const int64_t times = chunk.index % 3 == 0 ? 2 : 1;
    EXPECT_EQ(chunk.lease_token, times) << chunk.index;
    EXPECT_EQ(chunk.attempts, times) << chunk.index;
    EXPECT_EQ(chunk.lease_owner, "next");
    EXPECT_EQ(chunk.lease_expires_at, clock_.Now() + kLease);
  }
}

TEST_P(JobStoreConformance, OnlyAJobAtWorkGivesOutChunks) {
  const auto claim = [&](std::string_view job_id) {
    return Must(store_->ClaimChunks(job_id, -1, 10, "worker", kLease));
  };
  const Job pending = Create("pending");
  const Job unplanned = Processing("unplanned");
  AddChunks(Hold(unplanned.id), 3, 10);
  const Job failed = Planned("failed", 3);
  Must(store_->Update(Hold(failed.id), ToFailed()));
  for (const std::string_view id :
       {"none", pending.id.c_str(), unplanned.id.c_str(), failed.id.c_str()}) {
    const Claims claims = claim(id);
    EXPECT_TRUE(claims.chunks.empty()) << id;
    EXPECT_FALSE(claims.cancel_requested) << id;
    EXPECT_FALSE(claims.again_at) << id;
  }

  const Job cancelling = Planned("cancelling", 3);
  Settlement retry = Failure(Claimed(cancelling.id, 1), Settlement::Kind::kRetry);
  retry.not_before = clock_.Now() + seconds(10);
  SettleOne(retry);
  for (const Job& job : {cancelling, unplanned}) {
    Must(store_->RequestCancel(job.id, "ada", ""));
    const Claims claims = claim(job.id);
    EXPECT_TRUE(claims.chunks.empty());
    EXPECT_TRUE(claims.cancel_requested);
    EXPECT_FALSE(claims.again_at);
  }
}

TEST_P(JobStoreConformance, AReleasedChunkWaitsForItsTime) {
  const Job job = Planned("task", 1);
  const Chunk first = Claimed(job.id, 0);
  const Timestamp not_before = clock_.Now() + seconds(10);
  EXPECT_TRUE(SettleOne({.lease = LeaseOf(first), .not_before = not_before}).applied);
  EXPECT_EQ(ChunkAt(job.id, 0)->not_before, not_before);
  clock_.Advance(seconds(9));
  EXPECT_FALSE(GivesOut(job.id, 0));
  EXPECT_EQ(Must(store_->ClaimChunks(job.id, -1, 1, "worker", kLease)).again_at, not_before);
  clock_.Advance(seconds(1));
  EXPECT_EQ(Claimed(job.id, 0).attempts, 1);
}

TEST_P(JobStoreConformance, WhoIsToStopIsToldInOrder) {
  const Job works = Planned("works", 1);
  const Job stops = Planned("stops", 1);
  const Job waits = Create("waits");
  Must(store_->RequestCancel(stops.id, "ada", ""));
  clock_.Advance(seconds(1));
  const std::vector<std::string> ids = {stops.id, "none", works.id, stops.id, waits.id};
  EXPECT_EQ(Must(Another()->CancelRequested(ids)),
            (std::vector<bool>{true, false, false, true, false}));
  EXPECT_TRUE(Must(store_->CancelRequested({})).empty());
  EXPECT_LT(Must(store_->Get(stops.id)).updated_at, clock_.Now()) << "asking touches nothing";
}

}  // namespace spillway::store
