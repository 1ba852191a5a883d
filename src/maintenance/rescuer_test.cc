#include "maintenance/rescuer.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "engine/acts_fixture.h"
#include "engine/planner.h"
#include "engine/worker.h"

namespace spillway::engine {
namespace {

TEST_F(ActsTest, AnActThatWaitsForItsNextAttemptIsNotStalled) {
  options_.lease = std::chrono::seconds(2);
  options_.backoff_base = std::chrono::seconds(10);
  lines_->before_plan = [] { return FailTransient(ErrorCode::kUnavailable, "away"); };
  const std::string job_id = Submit();
  ASSERT_TRUE(PlanJob(context_, job_id, random_)->again_in.has_value());
  clock_.Advance(std::chrono::seconds(11));
  EXPECT_EQ(*Rescue(context_), 0);
  clock_.Advance(std::chrono::seconds(2));
  EXPECT_EQ(*Rescue(context_), 1);
}

TEST_F(ActsTest, AJobThatWaitsBehindOthersIsNotCalledStalled) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  Log log(LogLevel::kWarning, LogFormat::kText, fileno(file.get()));
  Context context{.store = store_,
                  .queue = queue_,
                  .recipes = recipes_,
                  .clock = clock_,
                  .log = log,
                  .options = options_,
                  .owner = "worker",
                  .heartbeat = heartbeat_,
                  .stagings = stagings_};
  const std::string job_id = Submit();
  ASSERT_TRUE(PlanJob(context, job_id, random_).has_value());
  clock_.Advance(options_.lease * 2);
  EXPECT_EQ(*Rescue(context), 1);
  EXPECT_EQ(lseek(fileno(file.get()), 0, SEEK_END), 0) << "its messages are all there";
  static_cast<void>(Bodies());
  clock_.Advance(options_.lease * 2);
  Worker worker(context);
  KnownJobs known;
  ASSERT_TRUE(worker.Handle("resume " + job_id, random_, known).has_value());
  std::array<char, 200> line{};
  std::rewind(file.get());
  ASSERT_NE(std::fgets(line.data(), line.size(), file.get()), nullptr);
  EXPECT_THAT(line.data(), testing::HasSubstr("job stalled; sending its work again"));
}

TEST_F(ActsTest, TheRescuerDoesNotBuryABusyQueue) {
  lines_->chunks = 800;
  const std::string job_id = Submit();
  ASSERT_TRUE(PlanJob(context_, job_id, random_).has_value());
  clock_.Advance(options_.lease * 2);
  const int64_t waiting = *queue_.Depth();
  EXPECT_EQ(*Rescue(context_), 1);
  EXPECT_EQ(*queue_.Depth(), waiting + 1);

  std::vector<std::string> handles;
  const auto deliveries = queue_.Receive(5'000, std::chrono::seconds(1));
  ASSERT_TRUE(deliveries.has_value());
  for (const store::Delivery& delivery : *deliveries) handles.push_back(delivery.handle);
  ASSERT_TRUE(queue_.Delete(handles).has_value());
  EXPECT_EQ(*Rescue(context_), 1);
  EXPECT_EQ(*queue_.Depth(), options_.hints_max) << "everything was lost, so everything is sent";
}

}  // namespace
}  // namespace spillway::engine
