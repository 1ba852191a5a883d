#pragma once

#include "store/conformance/job_store_fixture.h"

namespace spillway::store {

using engine::Job;
using engine::JobState;
using std::chrono::seconds;

TEST_P(JobStoreConformance, JobsExpireInTheOrderOfTheirEnds) {
  Create("pending");
  Processing("processing");
  const Job first = Succeeded("first");
  clock_.Advance(seconds(10));
  const Job failed = Failed("failed");
  const Job second = Succeeded("second");
  const Timestamp later = clock_.Now() + seconds(1);
  EXPECT_EQ(Expirable(later, later), (std::vector<std::string>{first.id, second.id}));
  EXPECT_EQ(Expirable(later, later, JobState::kSucceeded, 1), std::vector<std::string>{first.id});
  EXPECT_EQ(Expirable(later, later, JobState::kFailed), std::vector<std::string>{failed.id});
  EXPECT_EQ(Expirable(*second.finished_at, later), std::vector<std::string>{first.id});
  EXPECT_TRUE(Expirable(*first.finished_at, later).empty());
  EXPECT_TRUE(
      Must(store_->Expirable({.export_name = "others", .ended_before = later}, 10)).empty());
}

TEST_P(JobStoreConformance, ExpirableJobsAreReadPageByPage) {
  std::vector<std::pair<Timestamp, std::string>> all;
  for (const char* task : {"a", "c", "b", "d", "f", "e"}) {
    const Job job = Succeeded(task);
    all.emplace_back(*job.finished_at, job.id);
  }
  std::ranges::sort(all);
  const Timestamp later = clock_.Now() + seconds(1);
  ExpiryFilter filter{.export_name = "messages", .ended_before = later, .begun_before = later};
  std::vector<std::pair<Timestamp, std::string>> read;
  while (true) {
    const std::vector<Job> page = Must(store_->Expirable(filter, 1));
    if (page.empty()) break;
    read.emplace_back(*page[0].finished_at, page[0].id);
    filter.after = {.finished_at = *page[0].finished_at, .id = page[0].id};
  }
  EXPECT_EQ(read, all);
}

TEST_P(JobStoreConformance, AnExpiryIsBegunByOneAndEnds) {
  const Job seen = Succeeded("task");
  const Timestamp begun_at = clock_.Now();
  const Job begun = Must(store_->BeginExpiry(seen, 3, 4'000'000'000));
  ASSERT_TRUE(begun.expiry);
  EXPECT_EQ(begun.expiry->begun_at, begun_at);
  EXPECT_EQ(begun.expiry->objects, 3);
  EXPECT_EQ(begun.expiry->bytes, 4'000'000'000);
  EXPECT_FALSE(begun.expiry->ended_at);
  EXPECT_EQ(CodeOf(Another()->BeginExpiry(seen, 3, 30)), "conflict");

  clock_.Advance(seconds(60));
  const Timestamp ended_at = clock_.Now();
  Must(store_->EndExpiry(seen.id));
  clock_.Advance(seconds(60));
  Must(store_->EndExpiry(seen.id));
  const Job ended = Must(Another()->Get(seen.id));
  ASSERT_TRUE(ended.expiry);
  EXPECT_EQ(ended.expiry->begun_at, begun_at);
  EXPECT_EQ(ended.expiry->ended_at, ended_at);
  EXPECT_EQ(ended.expiry->objects, 3);
  // The record stays as it was.
  EXPECT_EQ(ended.state, JobState::kSucceeded);
  EXPECT_EQ(ended.finished_at, seen.finished_at);
  EXPECT_EQ(ended.updated_at, seen.updated_at);
  EXPECT_EQ(ended.outcome, seen.outcome);
  EXPECT_EQ(ended.counts, seen.counts);

  const Timestamp later = clock_.Now() + seconds(1);
  EXPECT_TRUE(Expirable(later, later).empty());
  EXPECT_EQ(CodeOf(store_->BeginExpiry(ended, 1, 1)), "conflict");
}

TEST_P(JobStoreConformance, AnAbandonedExpiryIsTakenOver) {
  const Job seen = Succeeded("task");
  const Timestamp begun_at = clock_.Now();
  const Job begun = Must(store_->BeginExpiry(seen, 3, 30));
  const Timestamp later = begun_at + seconds(60);
  EXPECT_TRUE(Expirable(later, begun_at).empty());
  EXPECT_EQ(Expirable(later, begun_at + seconds(1)), std::vector<std::string>{seen.id});

  clock_.Advance(seconds(30));
  const Job taken = Must(Another()->BeginExpiry(begun, 1, 10));
  EXPECT_EQ(taken.expiry->begun_at, begun_at + seconds(30));
  EXPECT_EQ(taken.expiry->objects, 3);
  EXPECT_EQ(taken.expiry->bytes, 30);
  EXPECT_EQ(CodeOf(store_->BeginExpiry(begun, 1, 10)), "conflict");
}

TEST_P(JobStoreConformance, OnlyFinalJobsExpire) {
  const Job pending = Create("pending");
  const Job processing = Processing("processing");
  EXPECT_EQ(CodeOf(store_->BeginExpiry(pending, 0, 0)), "conflict");
  EXPECT_EQ(CodeOf(store_->BeginExpiry(processing, 0, 0)), "conflict");
  const Job succeeded = Succeeded("succeeded");
  EXPECT_EQ(CodeOf(store_->EndExpiry(succeeded.id)), "conflict");
  EXPECT_EQ(CodeOf(store_->EndExpiry("none")), "not_found");
  Job unknown = succeeded;
  unknown.id = "none";
  EXPECT_EQ(CodeOf(store_->BeginExpiry(unknown, 0, 0)), "not_found");
}

TEST_P(JobStoreConformance, RedriveAndExpiryExcludeEachOther) {
  const Job expiring = Failed("expiring");
  Must(store_->BeginExpiry(expiring, 1, 10));
  EXPECT_EQ(CodeOf(store_->Redrive(expiring.id, "ada")), "conflict");
  Must(store_->EndExpiry(expiring.id));
  EXPECT_EQ(CodeOf(store_->Redrive(expiring.id, "ada")), "conflict");
  EXPECT_EQ(Must(store_->Get(expiring.id)).state, JobState::kFailed);

  // Failed twice: what was seen of the first time is past.
  const Job seen = Failed("redriven");
  clock_.Advance(seconds(1));
  Must(store_->Redrive(seen.id, "ada"));
  EXPECT_EQ(CodeOf(store_->BeginExpiry(seen, 1, 10)), "conflict");
  Must(store_->Admit(seen.group, 1));
  const Job again = Must(store_->Update(Hold(seen.id), ToFailed()));
  EXPECT_EQ(CodeOf(store_->BeginExpiry(seen, 1, 10)), "conflict");
  Must(store_->BeginExpiry(again, 1, 10));
}

}  // namespace spillway::store
