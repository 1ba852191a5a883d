#pragma once

#include <set>

#include "store/conformance/job_store_fixture.h"

namespace spillway::store {

using engine::Job;
using engine::JobPhase;
using engine::JobState;
using engine::Lease;
using std::chrono::seconds;

TEST_P(JobStoreConformance, ListsNewestFirstInPagesThatStandStill) {
  std::vector<std::string> newest_first;
  for (int i = 0; i < 7; ++i)
    newest_first.insert(newest_first.begin(), Create("task" + std::to_string(i)).id);
  std::vector<std::string> seen;
  std::string cursor;
  int pages = 0;
  do {
    const JobPage page = Must(store_->List({}, cursor, 3));
    for (const Job& job : page.jobs) seen.push_back(job.id);
    cursor = page.next_cursor;
    Create("meanwhile" + std::to_string(pages++));
  } while (!cursor.empty());
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(seen, newest_first);
  EXPECT_EQ(CodeOf(store_->List({}, "garbage", 3)), "invalid_argument");
}

TEST_P(JobStoreConformance, AFullLastPageHasNoCursor) {
  for (int i = 0; i < 4; ++i) Create("task" + std::to_string(i));
  const JobPage page = Must(store_->List({}, "", 2));
  ASSERT_FALSE(page.next_cursor.empty());
  const JobPage last = Must(store_->List({}, page.next_cursor, 2));
  EXPECT_EQ(last.jobs.size(), 2U);
  EXPECT_EQ(last.next_cursor, "");
  EXPECT_TRUE(Must(store_->List({.tenant = "nobody"}, "", 2)).jobs.empty());
}

TEST_P(JobStoreConformance, JobsOfOneMomentAreAllListedOnce) {
  std::set<std::string> created;
  for (int i = 0; i < 5; ++i)
    created.insert(Must(store_->Create(Request("task" + std::to_string(i)), false)).job.id);
  std::multiset<std::string> seen;
  for (std::string cursor;;) {
    const JobPage page = Must(store_->List({}, cursor, 2));
    for (const Job& job : page.jobs) seen.insert(job.id);
    cursor = page.next_cursor;
    if (cursor.empty()) break;
  }
  EXPECT_EQ(seen, std::multiset<std::string>(created.begin(), created.end()));
}

TEST_P(JobStoreConformance, FiltersCombine) {
  for (const char* tenant : {"t1", "t2"}) {
    for (const char* name : {"e1", "e2"}) {
      Job request = Request(std::string(tenant) + name);
      request.tenant = tenant;
      request.export_name = name;
      Must(store_->Create(request, false));
      clock_.Advance(seconds(1));
    }
  }
  Must(store_->Admit("group", 1));  // t1e1
  const auto listed = [&](const JobFilter& filter) {
    std::string ids;
    for (const Job& job : Must(store_->List(filter, "", 10)).jobs) ids += job.task_id + " ";
    return ids;
  };
  EXPECT_EQ(listed({}), "t2e2 t2e1 t1e2 t1e1 ");
  EXPECT_EQ(listed({.tenant = "t1"}), "t1e2 t1e1 ");
  EXPECT_EQ(listed({.export_name = "e1"}), "t2e1 t1e1 ");
  EXPECT_EQ(listed({.state = JobState::kPending}), "t2e2 t2e1 t1e2 ");
  EXPECT_EQ(listed({.export_name = "e1", .tenant = "t1"}), "t1e1 ");
  EXPECT_EQ(listed({.export_name = "e1", .state = JobState::kPending}), "t2e1 ");
  EXPECT_EQ(listed({.tenant = "t1", .state = JobState::kProcessing}), "t1e1 ");
  EXPECT_EQ(listed({.export_name = "e2", .tenant = "t1", .state = JobState::kProcessing}), "");
}

TEST_P(JobStoreConformance, PendingJobsAreCountedAheadInTheirGroup) {
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(Create("task" + std::to_string(i)).id);
    Must(store_->Create(Request("other" + std::to_string(i), "another group"), false));
  }
  const auto ahead = [&] {
    std::vector<int64_t> counts;
    for (const std::string& id : ids) counts.push_back(Must(store_->CountAhead(id)));
    return counts;
  };
  EXPECT_EQ(ahead(), (std::vector<int64_t>{0, 1, 2}));
  Must(store_->Admit("group", 1));
  EXPECT_EQ(ahead(), (std::vector<int64_t>{0, 0, 1}));
  Must(store_->RequestCancel(ids[1], "ada", ""));
  EXPECT_EQ(ahead(), (std::vector<int64_t>{0, 0, 0}));
  EXPECT_EQ(CodeOf(store_->CountAhead("nobody")), "not_found");
}

TEST_P(JobStoreConformance, AJobThatNothingTouchesIsStalled) {
  Create("pending");
  const std::string oldest = Processing("oldest").id;
  clock_.Advance(seconds(1));
  const Job touched = Planned("touched", 2);
  clock_.Advance(seconds(1));
  const std::string held = Processing("held").id;
  clock_.Advance(seconds(60));
  Must(store_->AcquireJob(held, "worker", seconds(120)));
  const auto stalled = [&](size_t limit, const StalledFilter::After& after = {}) {
    std::vector<std::string> ids;
    for (const Job& job :
         Must(store_->Stalled({.before = clock_.Now() - seconds(30), .after = after}, limit)))
      ids.push_back(job.id);
    return ids;
  };
  EXPECT_EQ(stalled(10), (std::vector<std::string>{oldest, touched.id}));
  EXPECT_EQ(stalled(1), std::vector<std::string>{oldest});
  const Job first = Must(store_->Get(oldest));
  EXPECT_EQ(stalled(10, {.updated_at = first.updated_at, .id = first.id}),
            std::vector<std::string>{touched.id});

  const engine::Chunk chunk = Claimed(touched.id, 0);
  RenewOne(*store_, LeaseOf(chunk));
  EXPECT_EQ(stalled(10), std::vector<std::string>{oldest});
  clock_.Advance(seconds(29));
  SettleOne(Success(chunk));
  clock_.Advance(seconds(29));
  EXPECT_EQ(stalled(10), std::vector<std::string>{oldest});
  clock_.Advance(seconds(90));
  EXPECT_EQ(stalled(10), (std::vector<std::string>{oldest, held, touched.id}));
}

TEST_P(JobStoreConformance, JobsTouchedAtTheSameTimeStallInTheOrderOfTheirIds) {
  Create("b", "group of b");
  Create("a", "group of a");
  const std::string second = Must(store_->Admit("group of b", 1))->id;
  const std::string first = Must(store_->Admit("group of a", 1))->id;
  clock_.Advance(seconds(60));
  std::vector<std::string> ids;
  for (StalledFilter filter{.before = clock_.Now()}; ids.size() < 5;) {
    const std::vector<Job> page = Must(store_->Stalled(filter, 1));
    if (page.empty()) break;
    ids.push_back(page.front().id);
    filter.after = {.updated_at = page.front().updated_at, .id = page.front().id};
  }
  EXPECT_EQ(ids, (std::vector<std::string>{first, second}));
}

TEST_P(JobStoreConformance, AJobWhoseChunksWaitForTheirTimeIsNotStalled) {
  const Job job = Planned("waits", 2);
  for (const int64_t index : {0, 1}) {
    Settlement settlement{.lease = LeaseOf(Claimed(job.id, index)),
                          .kind = Settlement::Kind::kPostponed,
                          .not_before = clock_.Now() + std::chrono::hours(12 + index)};
    EXPECT_TRUE(SettleOne(settlement).applied);
  }
  const auto is_stalled = [&] {
    return !Must(store_->Stalled({.before = clock_.Now() - seconds(30)}, 10)).empty();
  };
  clock_.Advance(std::chrono::hours(11));
  EXPECT_FALSE(is_stalled());
  clock_.Advance(std::chrono::hours(1));
  EXPECT_TRUE(is_stalled()) << "one of them is due, and nobody claims it";
  const engine::Chunk chunk = Claimed(job.id, 0);
  EXPECT_FALSE(is_stalled()) << "it is leased, and the other waits";
  clock_.Advance(kLease);
  EXPECT_TRUE(is_stalled()) << "its lease has ended";
  SettleOne(Success(chunk));
  clock_.Advance(seconds(60));
  EXPECT_FALSE(is_stalled());
  Must(store_->RequestCancel(job.id, "ada", ""));
  clock_.Advance(seconds(60));
  EXPECT_TRUE(is_stalled()) << "it is to be discarded, which waits for nothing";
}

/// O1. Equal tasks of two states have ids that differ, since whoever asks names the job by chance.
TEST_P(JobStoreConformance, O1AnIdIsTheRequestersAndTheRun) {
  Job request = Request("task");
  request.id = "6f1c0d2e9a8b7c65";
  EXPECT_EQ(Must(store_->Create(request, false)).job.id, "6f1c0d2e9a8b7c65-1");
  request.id = "00aa11bb22cc33dd";
  EXPECT_EQ(Must(store_->Create(request, false)).job.id, "6f1c0d2e9a8b7c65-1") << "stands";
  EXPECT_EQ(Must(store_->Create(request, true)).job.id, "00aa11bb22cc33dd-2");
  request.id.clear();
  EXPECT_EQ(CodeOf(store_->Create(request, true)), "invalid_argument");
}

}  // namespace spillway::store
