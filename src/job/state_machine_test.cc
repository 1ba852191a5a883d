#include "job/state_machine.h"

#include <set>
#include <utility>

#include <gtest/gtest.h>

namespace spillway::engine {
namespace {

TEST(StateMachine, HoldsExactlyTheDocumentedTransitions) {
  using enum JobState;
  const std::set<std::pair<JobState, JobState>> legal = {
      {kPending, kProcessing}, {kPending, kCancelled},    {kProcessing, kSucceeded},
      {kProcessing, kFailed},  {kProcessing, kCancelled}, {kFailed, kPending},
  };
  const auto all = {kPending, kProcessing, kSucceeded, kFailed, kCancelled};
  for (JobState from : all) {
    for (JobState to : all) {
      EXPECT_EQ(IsLegal(from, to), legal.contains({from, to})) << Name(from) << " to " << Name(to);
    }
  }
}

TEST(StateMachine, PhasesOnlyMoveForward) {
  using enum JobPhase;
  const auto all = {kInitializing, kDiscovering, kProcessing, kFinalizing, kCompleted};
  for (JobPhase from : all) {
    for (JobPhase to : all) EXPECT_EQ(IsLegal(from, to), from <= to);
  }
}

TEST(Names, AreReadBack) {
  for (JobState state : {JobState::kPending, JobState::kProcessing, JobState::kSucceeded,
                         JobState::kFailed, JobState::kCancelled}) {
    EXPECT_EQ(*JobStateFromName(Name(state)), state);
  }
  EXPECT_EQ(JobStateFromName("done").error().message, "unknown job state \"done\"");
  EXPECT_FALSE(JobPhaseFromName("").has_value());
  EXPECT_FALSE(ChunkStateFromName("Leased").has_value());
}

TEST(TaskId, TellsItsFieldsApart) {
  const std::string id = TaskId("export", "tenant", "{}");
  EXPECT_EQ(id.size(), 32U);
  EXPECT_EQ(id, TaskId("export", "tenant", "{}"));
  EXPECT_NE(id, TaskId("exportt", "enant", "{}"));
  EXPECT_NE(id, TaskId("export", "tenant", "{ }"));
  EXPECT_NE(id, TaskId("tenant", "export", "{}"));
}

}  // namespace
}  // namespace spillway::engine
