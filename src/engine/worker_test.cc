#include "engine/worker.h"

#include "engine/acts_fixture.h"

namespace spillway::engine {
namespace {

class WorkerTest : public ActsTest {};

TEST_F(WorkerTest, AWorkerThatStopsPlanningLeavesItToOthers) {
  const std::string job_id = Submit();
  Worker worker(context_);
  worker.StopPlanning();
  BatchSize batch;
  for (int step = 0; step < 5; ++step) ASSERT_TRUE(worker.Step(random_, batch).has_value());
  EXPECT_LT(store_.Get(job_id)->phase, JobPhase::kProcessing);
  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
}

}  // namespace
}  // namespace spillway::engine
