#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <ostream>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "queue/queue.h"

namespace spillway::store {

/// A queue that is empty at first and removed with the last copy of `open`.
struct QueueState {
  /// Opens it again, as another process would.
  std::function<std::shared_ptr<Queue>()> open;
  /// Lets time pass: moves the clock, or waits if it cannot be moved.
  std::function<void(std::chrono::seconds)> pass;
};

/// What the suite runs on. A new implementation adds one line to its own test program:
///   INSTANTIATE_TEST_SUITE_P(Name, QueueConformance, testing::Values(QueueUnderTest{...}));
struct QueueUnderTest {
  std::string name;
  std::function<QueueState()> make_state;

  friend void PrintTo(const QueueUnderTest& queue, std::ostream* out) { *out << queue.name; }
};

/// Written so that a queue may deliver fewer messages than asked for, count roughly, and hold a
/// group back while one of its messages is in flight, as SQS does.
class QueueConformance : public testing::TestWithParam<QueueUnderTest> {
 protected:
  static constexpr std::chrono::seconds kVisibility{20};
  static constexpr int kLooks = 20;

  template <class T>
  static T Value(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    if constexpr (!std::is_void_v<T>) return *std::move(result);
  }

  void Send(std::string group, std::string body, std::chrono::milliseconds delay = {}) {
    Value(queue_->Send(std::vector<Message>{
        {.group = std::move(group), .body = std::move(body), .delay = delay}}));
  }

  /// All that can be received now, without deleting any.
  std::vector<Delivery> Drain(Queue& queue, size_t limit = 10) {
    std::vector<Delivery> all;
    while (true) {
      std::vector<Delivery> some = Value(queue.Receive(limit, kVisibility));
      EXPECT_LE(some.size(), limit);
      if (some.empty()) return all;
      std::ranges::move(some, std::back_inserter(all));
    }
  }

  std::vector<Delivery> Drain() { return Drain(*queue_); }

  Delivery ReceiveOne() {
    std::vector<Delivery> some = Value(queue_->Receive(1, kVisibility));
    if (some.size() != 1) throw std::runtime_error("no message where one was waiting");
    return some.front();
  }

  static std::vector<std::string> Bodies(const std::vector<Delivery>& deliveries) {
    std::vector<std::string> bodies;
    for (const Delivery& delivery : deliveries) bodies.push_back(delivery.body);
    return bodies;
  }

  static void DeleteAll(Queue& queue, const std::vector<Delivery>& deliveries) {
    std::vector<std::string> handles;
    for (const Delivery& delivery : deliveries) handles.push_back(delivery.handle);
    Value(queue.Delete(handles));
  }

  void GiveBack(const Delivery& delivery, std::chrono::milliseconds delay = {}) {
    Value(queue_->GiveBack(std::vector{delivery.handle}, delay));
  }

  /// Sends so many messages of the group: "<group>0", "<group>1", …
  void SendMany(const std::string& group, int count, int first = 0) {
    std::vector<Message> messages;
    for (int i = first; i < first + count; ++i)
      messages.push_back({.group = group, .body = group + std::to_string(i)});
    Value(queue_->Send(messages));
  }

  QueueState state_ = GetParam().make_state();
  std::shared_ptr<Queue> queue_ = state_.open();
};

TEST_P(QueueConformance, AnEmptyQueueGivesNothing) {
  EXPECT_TRUE(Value(queue_->Receive(10, kVisibility)).empty());
  EXPECT_EQ(Value(queue_->Depth()), 0);
  Value(queue_->Send({}));
  Value(queue_->Delete({}));
  Value(queue_->Extend({}, kVisibility));
  Value(queue_->GiveBack({}, kVisibility));
  EXPECT_TRUE(Value(queue_->Receive(10, kVisibility)).empty());
}

TEST_P(QueueConformance, AMessageIsSeenByAllOpeningsUntilItIsDeleted) {
  Send("group", "body");
  EXPECT_GT(Value(queue_->Depth()), 0);
  const auto another = state_.open();
  const std::vector<Delivery> deliveries = Value(another->Receive(1, kVisibility));
  ASSERT_EQ(deliveries.size(), 1U);
  EXPECT_EQ(deliveries[0].body, "body");
  EXPECT_EQ(deliveries[0].receive_count, 1);
  DeleteAll(*queue_, deliveries);
  state_.pass(kVisibility * 2);
  EXPECT_TRUE(Drain().empty());
  EXPECT_EQ(Value(queue_->Depth()), 0);
}

TEST_P(QueueConformance, FirstInFirstOutWithinAGroup) {
  std::map<char, std::string> sent;
  for (int i = 0; i < 30; ++i) {
    const char group = "abc"[i % 3];
    const std::string body = std::string(1, group) + std::to_string(i);
    Send(std::string(1, group), body);
    sent[group] += body + " ";
  }
  std::map<char, std::string> received;
  for (int looks = 0; looks < 60; ++looks) {
    const std::vector<Delivery> some = Value(queue_->Receive(7, kVisibility));
    for (const std::string& body : Bodies(some)) received[body[0]] += body + " ";
    DeleteAll(*queue_, some);
  }
  EXPECT_EQ(received, sent);
}

TEST_P(QueueConformance, OneCallKeepsItsOrder) {
  std::vector<Message> messages;
  std::string sent;
  for (int i = 0; i < 40; ++i) {
    messages.push_back({.group = "group", .body = std::to_string(i)});
    sent += std::to_string(i) + " ";
  }
  Value(queue_->Send(messages));
  std::string received;
  for (int looks = 0; looks < 40; ++looks) {
    const std::vector<Delivery> some = Value(queue_->Receive(10, kVisibility));
    for (const std::string& body : Bodies(some)) received += body + " ";
    DeleteAll(*queue_, some);
  }
  EXPECT_EQ(received, sent);
}

TEST_P(QueueConformance, ADeliveryIsHiddenForItsVisibility) {
  Send("group", "body");
  const Delivery first = ReceiveOne();
  state_.pass(kVisibility / 2);
  EXPECT_TRUE(Drain().empty());
  EXPECT_GT(Value(queue_->Depth()), 0) << "in flight";
  state_.pass(kVisibility);
  const Delivery second = ReceiveOne();
  EXPECT_EQ(second.body, "body");
  EXPECT_EQ(second.receive_count, 2);
  EXPECT_NE(second.handle, first.handle);
}

TEST_P(QueueConformance, AHandleIsOfItsDeliveryOnly) {
  Send("group", "body");
  const std::string stale = ReceiveOne().handle;
  state_.pass(kVisibility + std::chrono::seconds(1));
  const std::string held = ReceiveOne().handle;
  Value(queue_->Delete(std::vector{stale}));
  Value(queue_->Extend(std::vector{stale}, std::chrono::milliseconds(0)));
  Value(queue_->GiveBack(std::vector{stale}, std::chrono::milliseconds(0)));
  EXPECT_TRUE(Drain().empty()) << "the stale handle gave it back";
  state_.pass(kVisibility + std::chrono::seconds(1));
  EXPECT_EQ(ReceiveOne().receive_count, 3) << "the stale handle deleted it";
  Value(queue_->Delete(std::vector{stale, held}));
}

TEST_P(QueueConformance, HandlesOfDeletedMessagesAndOfNoneArePassedOver) {
  Send("first", "body");
  const std::string gone = ReceiveOne().handle;
  Value(queue_->Delete(std::vector{gone}));
  Send("second", "another body");
  const Delivery kept = ReceiveOne();
  const std::vector<std::string> strange = {
      gone, "", ".", "1", "1.", "x.y", "-1.1", "99999999999999999999.1", gone + "0"};
  Value(queue_->Delete(strange));
  Value(queue_->Extend(strange, std::chrono::milliseconds(0)));
  Value(queue_->GiveBack(strange, std::chrono::milliseconds(0)));
  EXPECT_TRUE(Drain().empty());
  state_.pass(kVisibility + std::chrono::seconds(1));
  EXPECT_EQ(ReceiveOne().body, kept.body);
}

TEST_P(QueueConformance, VisibilityIsCountedFromNow) {
  Send("extended", "extended");
  Send("returned", "returned");
  const std::vector<Delivery> both = Drain();
  ASSERT_EQ(both.size(), 2U);
  const size_t extended = both[0].body == "extended" ? 0 : 1;
  state_.pass(kVisibility / 2);
  Value(queue_->Extend(std::vector{both[extended].handle}, kVisibility));
  GiveBack(both[1 - extended]);
  EXPECT_EQ(Bodies(Drain()), std::vector<std::string>{"returned"});
  state_.pass(kVisibility * 3 / 4);
  EXPECT_TRUE(Drain().empty());
  Value(queue_->Delete(std::vector{both[extended].handle}));
  state_.pass(kVisibility);
  EXPECT_EQ(Bodies(Drain()), std::vector<std::string>{"returned"});
}

TEST_P(QueueConformance, ADelayedMessageWaits) {
  Send("delayed", "delayed", std::chrono::seconds(10));
  Send("at once", "at once");
  EXPECT_EQ(Bodies(Drain()), std::vector<std::string>{"at once"});
  state_.pass(std::chrono::seconds(5));
  EXPECT_TRUE(Drain().empty());
  state_.pass(std::chrono::seconds(6));
  EXPECT_EQ(Bodies(Drain()), std::vector<std::string>{"delayed"});
}

TEST_P(QueueConformance, KeepsEveryTextUpToItsLimit) {
  const std::string odd = "naïve 東京 \U0001F9EA <&>\"\n" + std::string("\0nul", 4);
  Send(odd, odd);
  EXPECT_EQ(ReceiveOne().body, odd);
  Send("group", std::string(1024, 'b'));
  EXPECT_EQ(ReceiveOne().body, std::string(1024, 'b'));
  const Result<> long_one = queue_->Send(std::vector<Message>{
      {.group = "ok", .body = "ok"}, {.group = "group", .body = std::string(1025, 'b')}});
  ASSERT_FALSE(long_one);
  EXPECT_EQ(Name(long_one.error().code), "invalid_argument");
  EXPECT_TRUE(Drain().empty());
}

TEST_P(QueueConformance, ASecondGroupIsServedAtOnceWhileTheFirstHasTenThousandWaiting) {
  SendMany("first", 10'000);
  std::vector<Delivery> deliveries = Value(queue_->Receive(4, kVisibility));
  DeleteAll(*queue_, deliveries);
  Send("second", "second");
  deliveries.clear();
  for (int looks = 0; looks < 5; ++looks)
    std::ranges::move(Value(queue_->Receive(2, kVisibility)), std::back_inserter(deliveries));
  EXPECT_THAT(Bodies(deliveries), testing::Contains("second"));
}

TEST_P(QueueConformance, RacingReceiversShareTheMessages) {
  constexpr int kMessages = 300;
  constexpr int kThreads = 4;
  std::vector<Message> messages;
  for (int i = 0; i < kMessages; ++i) {
    messages.push_back({.group = std::to_string(i), .body = std::to_string(i)});
  }
  Value(queue_->Send(messages));
  std::mutex mutex;
  std::multiset<std::string> received;
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, own = thread % 2 == 0 ? queue_ : state_.open()] {
      for (int looks = 0; looks < kLooks;) {
        const std::vector<Delivery> some = Value(own->Receive(8, kVisibility));
        if (some.empty()) ++looks;
        DeleteAll(*own, some);
        std::lock_guard lock(mutex);
        for (const std::string& body : Bodies(some)) received.insert(body);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(received.size(), static_cast<size_t>(kMessages));
  EXPECT_EQ(std::set<std::string>(received.begin(), received.end()).size(),
            static_cast<size_t>(kMessages));
  state_.pass(kVisibility + std::chrono::seconds(1));
  EXPECT_TRUE(Drain().empty());
}

}  // namespace spillway::store
