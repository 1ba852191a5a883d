#include "engine/work.h"

#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "queue/memory/memory_queue.h"

namespace spillway::engine {
namespace {

TEST(Work, IsReadBack) {
  for (const Work& work :
       {Work{.act = Act::kPlan, .job_id = "j-1"}, Work{.act = Act::kProcess, .job_id = "j-1"},
        Work{.act = Act::kFinish, .job_id = "j-1"}, Work{.act = Act::kDiscard, .job_id = "j-1"},
        Work{.act = Act::kResume, .job_id = "j-1"}}) {
    const Result<Work> read = WorkFromBody(ToBody(work));
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(*read, work);
  }
  EXPECT_EQ(ToBody({.act = Act::kProcess, .job_id = "j-1"}), "process j-1");
}

TEST(Work, RefusesWhatIsMalformed) {
  for (const char* body :
       {"", "plan", "plan ", "dance j-1", "process", "process ", "process j-1 7", "process  j-1"}) {
    const Result<Work> work = WorkFromBody(body);
    ASSERT_FALSE(work.has_value()) << body;
    EXPECT_EQ(work.error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(work.error().message,
              "a queue message reads \"" + std::string(body) + "\", not `act job`");
  }
}

TEST(SendWork, SendsAnyNumberInOrder) {
  ManualClock clock;
  store::MemoryDatabase database;
  store::MemoryQueue queue(database, clock);
  std::vector<Work> work;
  for (int64_t i = 0; i < 1'200; ++i) {
    work.push_back({.act = i % 2 == 0 ? Act::kProcess : Act::kFinish, .job_id = "j-1"});
  }
  ASSERT_TRUE(SendWork(queue, work).has_value());
  const auto deliveries = queue.Receive(2'000, std::chrono::seconds(1));
  ASSERT_EQ(deliveries->size(), work.size());
  for (size_t i = 0; i < work.size(); ++i) {
    EXPECT_EQ(*WorkFromBody((*deliveries)[i].body), work[i]);
  }
}

TEST(SendWork, HoldsBackWhatIsDelayed) {
  ManualClock clock;
  store::MemoryDatabase database;
  store::MemoryQueue queue(database, clock);
  const std::vector<Work> work = {{.act = Act::kFinish, .job_id = "j-1"}};
  ASSERT_TRUE(SendWork(queue, work, std::chrono::seconds(5)).has_value());
  EXPECT_TRUE(queue.Receive(10, std::chrono::seconds(1))->empty());
  clock.Advance(std::chrono::seconds(5));
  EXPECT_EQ(queue.Receive(10, std::chrono::seconds(1))->size(), 1U);
}

}  // namespace
}  // namespace spillway::engine
