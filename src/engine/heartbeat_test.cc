#include "engine/heartbeat.h"

#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "engine/scripted_store.h"
#include "queue/memory/memory_queue.h"

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

  /// Leases are renewed when a third of them has passed.
  void BeatAfterAThird() {
    clock_.Advance(options_.lease / 3);
    heartbeat_.Beat();
  }

  const Options options_;
  ManualClock clock_;
  ScriptedStore store_{clock_};
  store::MemoryDatabase messages_;
  store::MemoryQueue queue_{messages_, clock_};
  Heartbeat heartbeat_{store_, queue_, clock_, options_};
};

TEST_F(HeartbeatTest, NothingIsAskedWhileNothingIsHeld) {
  heartbeat_.Beat();
  EXPECT_EQ(store_.renewals(), 0);
}

TEST_F(HeartbeatTest, RenewsWhatIsHeldAndOnlyThat) {
  const auto a = Hold("a");
  {
    const auto b = Hold("b", 3);
    BeatAfterAThird();
    EXPECT_EQ(store_.renewed(), (std::vector<std::string>{"a", "b/3"}));
  }
  BeatAfterAThird();
  EXPECT_EQ(store_.renewed(), (std::vector<std::string>{"a"}));
  EXPECT_FALSE(a.stop().stop_requested());
  EXPECT_EQ(a.reason(), std::nullopt);
}

TEST_F(HeartbeatTest, ALostLeaseStopsItsHolderAndNoOther) {
  const auto a = Hold("a");
  const auto b = Hold("b");
  store_.LoseLease("a");
  BeatAfterAThird();
  EXPECT_TRUE(a.stop().stop_requested());
  EXPECT_EQ(a.reason(), StopReason::kLeaseLost);
  EXPECT_FALSE(b.stop().stop_requested());
  BeatAfterAThird();
  EXPECT_EQ(store_.renewed(), (std::vector<std::string>{"b"})) << "a lost lease is not renewed";
}

TEST_F(HeartbeatTest, ACancellationStopsItsHolder) {
  const auto a = Hold("a");
  store_.AskToCancel("a");
  heartbeat_.Beat();
  EXPECT_EQ(a.reason(), StopReason::kCancelRequested);
}

TEST_F(HeartbeatTest, TheFirstReasonStands) {
  const auto a = Hold("a");
  store_.AskToCancel("a");
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

TEST_F(HeartbeatTest, ALeaseIsRenewedOnceAThirdOfItHasPassed) {
  const auto a = Hold("a");
  for (int beat = 0; beat < 40; ++beat) {
    clock_.Advance(options_.lease / 30);
    heartbeat_.Beat();
  }
  EXPECT_EQ(store_.renewals(), 4);
}

TEST_F(HeartbeatTest, WhatAHolderReportsIsWrittenWithinASecond) {
  auto a = Hold("a", 1);
  const auto silent = Hold("a", 2);
  a.Report({.rows = 1, .position = "here"});
  clock_.Advance(std::chrono::milliseconds(500));
  heartbeat_.Beat();
  EXPECT_EQ(store_.renewals(), 0);
  a.Report({.rows = 2});
  clock_.Advance(std::chrono::milliseconds(500));
  heartbeat_.Beat();
  EXPECT_EQ(store_.renewed(), (std::vector<std::string>{"a/1"}));
  EXPECT_EQ(a.position(), "here") << "none was told since";
  for (int beat = 0; beat < 5; ++beat) {
    clock_.Advance(std::chrono::milliseconds(500));
    heartbeat_.Beat();
  }
  EXPECT_EQ(store_.renewals(), 1) << "there was nothing new";
}

TEST_F(HeartbeatTest, AReportThatCouldNotBeWrittenIsTriedAgainAtTheNextBeat) {
  auto a = Hold("a", 1);
  a.Report({.rows = 1});
  clock_.Advance(std::chrono::seconds(1));
  store_.SetAway(true);
  heartbeat_.Beat();
  store_.SetAway(false);
  EXPECT_TRUE(store_.renewed().empty());
  heartbeat_.Beat();
  EXPECT_EQ(store_.renewed(), (std::vector<std::string>{"a/1"}));
}

TEST_F(HeartbeatTest, ACancellationIsSeenWhileRenewalsFail) {
  const auto a = Hold("a");
  store_.LoseLease("a");
  store_.AskToCancel("a");
  BeatAfterAThird();
  EXPECT_EQ(a.reason(), StopReason::kCancelRequested);
}

TEST_F(HeartbeatTest, AMessageStaysHiddenAsLongAsItsWorkGoesOn) {
  const std::vector<store::Message> message = {{.group = "g", .body = "long work"}};
  ASSERT_TRUE(queue_.Send(message).has_value());
  const std::string handle = queue_.Receive(1, options_.lease)->at(0).handle;
  {
    const Heartbeat::HiddenMessage hidden(heartbeat_, handle);
    for (int beat = 0; beat < 100; ++beat) {
      clock_.Advance(options_.lease / 10);
      heartbeat_.Beat();
      ASSERT_TRUE(queue_.Receive(1, options_.lease)->empty());
    }
  }
  clock_.Advance(options_.lease);
  heartbeat_.Beat();
  EXPECT_EQ(queue_.Receive(1, options_.lease)->size(), 1U);
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
