#include "engine/heartbeat.h"

#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "engine/scripted_store.h"

namespace spillway::engine {
namespace {

class HeartbeatTest : public testing::Test {
 protected:
  Heartbeat::Held Hold(std::string job_id, int64_t chunk = Lease::kJob) {
    return {heartbeat_,
            {.job_id = std::move(job_id),
             .chunk = chunk,
             .owner = "owner",
             .token = 1,
             .expires_at = clock_.Now() + options_.lease}};
  }

  const Options options_;
  ManualClock clock_;
  ScriptedStore store_{clock_};
  Heartbeat heartbeat_{store_, clock_, options_};
};

TEST_F(HeartbeatTest, NothingIsAskedWhileNothingIsHeld) {
  heartbeat_.Beat();
  EXPECT_EQ(store_.renewals(), 0);
}

TEST_F(HeartbeatTest, RenewsWhatIsHeldAndOnlyThat) {
  const auto a = Hold("a");
  {
    const auto b = Hold("b", 3);
    heartbeat_.Beat();
    EXPECT_EQ(store_.renewed(), (std::vector<std::string>{"a", "b/3"}));
  }
  heartbeat_.Beat();
  EXPECT_EQ(store_.renewed(), (std::vector<std::string>{"a"}));
  EXPECT_FALSE(a.stop().stop_requested());
  EXPECT_EQ(a.reason(), std::nullopt);
}

TEST_F(HeartbeatTest, ALostLeaseStopsItsHolderAndNoOther) {
  const auto a = Hold("a");
  const auto b = Hold("b");
  store_.Answer("a", {.held = false});
  heartbeat_.Beat();
  EXPECT_TRUE(a.stop().stop_requested());
  EXPECT_EQ(a.reason(), StopReason::kLeaseLost);
  EXPECT_FALSE(b.stop().stop_requested());
  heartbeat_.Beat();
  EXPECT_EQ(store_.renewed(), (std::vector<std::string>{"b"})) << "a lost lease is not renewed";
}

TEST_F(HeartbeatTest, ACancellationStopsItsHolder) {
  const auto a = Hold("a");
  store_.Answer("a", {.held = true, .cancel_requested = true});
  heartbeat_.Beat();
  EXPECT_EQ(a.reason(), StopReason::kCancelRequested);
}

TEST_F(HeartbeatTest, TheFirstReasonStands) {
  const auto a = Hold("a");
  store_.Answer("a", {.held = true, .cancel_requested = true});
  heartbeat_.Beat();
  heartbeat_.StopAll();
  EXPECT_EQ(a.reason(), StopReason::kCancelRequested);
}

TEST_F(HeartbeatTest, AStoreThatIsAwayIsBorneUntilTheLeaseEnds) {
  const auto a = Hold("a");
  clock_.Advance(options_.lease / 2);
  heartbeat_.Beat();  // Renewed: counts from here.
  store_.SetAway(true);
  clock_.Advance(options_.lease - std::chrono::milliseconds(1));
  heartbeat_.Beat();
  EXPECT_FALSE(a.stop().stop_requested());
  clock_.Advance(std::chrono::milliseconds(1));
  heartbeat_.Beat();
  EXPECT_EQ(a.reason(), StopReason::kLeaseLost);
}

TEST_F(HeartbeatTest, ShutdownStopsAllHolders) {
  const auto a = Hold("a");
  std::stop_source stop;
  stop.request_stop();
  heartbeat_.Run(stop.get_token());
  EXPECT_EQ(a.reason(), StopReason::kShutdown);
  const auto late = Hold("late");
  EXPECT_EQ(late.reason(), StopReason::kShutdown);
  EXPECT_TRUE(late.stop().stop_requested());
}

TEST_F(HeartbeatTest, KnowsTheJobsThisProcessHolds) {
  const auto chunk = Hold("a", 3);
  EXPECT_FALSE(heartbeat_.Holds("a")) << "only a chunk of it";
  {
    const auto a = Hold("a");
    EXPECT_TRUE(heartbeat_.Holds("a"));
    EXPECT_FALSE(heartbeat_.Holds("b"));
  }
  EXPECT_FALSE(heartbeat_.Holds("a"));
}

}  // namespace
}  // namespace spillway::engine
