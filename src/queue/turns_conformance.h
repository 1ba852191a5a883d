#pragma once

#include "queue/conformance.h"

namespace spillway::store {

/// The turns that messages of our own queues have. A queue that others run need not pass this:
///   INSTANTIATE_TEST_SUITE_P(Name, QueueTurns, testing::Values(QueueUnderTest{...}));
class QueueTurns : public QueueConformance {
 protected:
  /// The bodies of the next messages, done with one by one.
  std::string Take(int count) {
    std::string bodies;
    for (int i = 0; i < count; ++i) {
      const Delivery delivery = ReceiveOne();
      bodies += delivery.body + " ";
      Value(queue_->Delete(std::vector{delivery.handle}));
    }
    return bodies;
  }
};

TEST_P(QueueTurns, GroupsOfAnySizeTakeTurns) {
  SendMany("a", 1000);
  SendMany("b", 10);
  SendMany("c", 1);
  std::string expected = "a0 b0 c0 ";
  for (int i = 1; i < 1000; ++i) {
    expected += "a" + std::to_string(i) + " ";
    if (i < 10) expected += "b" + std::to_string(i) + " ";
  }
  std::string received;
  while (true) {
    const std::vector<Delivery> some = Value(queue_->Receive(7, kVisibility));
    if (some.empty()) break;
    for (const std::string& body : Bodies(some)) received += body + " ";
    DeleteAll(*queue_, some);
  }
  EXPECT_EQ(received, expected);
}

TEST_P(QueueTurns, GroupsOfOneCallTakeTurns) {
  std::vector<Message> messages;
  for (const char* body : {"a0", "a1", "a2", "b0", "c0", "b1"})
    messages.push_back({.group = std::string(1, body[0]), .body = body});
  Value(queue_->Send(messages));
  EXPECT_EQ(Take(3), "a0 b0 c0 ");
  EXPECT_EQ(Take(3), "a1 b1 a2 ");

  SendMany("a", 3);
  Drain();  // in flight
  Value(queue_->Send(std::vector<Message>{
      {.group = "a", .body = "a3"}, {.group = "b", .body = "b0"}, {.group = "c", .body = "c0"}}));
  EXPECT_EQ(Take(3), "b0 c0 a3 ") << "the call's own messages do not wait before it";
}

TEST_P(QueueTurns, AMessageThatIsGivenBackGoesAfterThoseOfItsGroup) {
  SendMany("a", 3);
  SendMany("b", 3);
  const Delivery first = ReceiveOne();
  EXPECT_EQ(first.body, "a0");
  GiveBack(first);
  EXPECT_EQ(Take(6), "b0 a1 b1 a2 b2 a0 ");

  SendMany("a", 3);
  GiveBack(ReceiveOne(), std::chrono::seconds(10));
  EXPECT_EQ(Take(1), "a1 ");
  state_.pass(std::chrono::seconds(5));
  SendMany("a", 1, 3);
  EXPECT_EQ(Take(2), "a2 a3 ");
  EXPECT_TRUE(Drain().empty());
  state_.pass(std::chrono::seconds(6));
  const Delivery again = ReceiveOne();
  EXPECT_EQ(again.body, "a0");
  EXPECT_EQ(again.receive_count, 2);
}

TEST_P(QueueTurns, MessagesAreGivenBackInOrder) {
  SendMany("a", 4);
  std::vector<std::string> handles;
  for (const Delivery& delivery : Value(queue_->Receive(3, kVisibility)))
    handles.push_back(delivery.handle);
  Value(queue_->GiveBack(handles, std::chrono::milliseconds(0)));
  EXPECT_EQ(Take(4), "a3 a0 a1 a2 ");
}

TEST_P(QueueTurns, AnExtendedMessageKeepsItsPlace) {
  SendMany("a", 3);
  const Delivery first = ReceiveOne();
  EXPECT_EQ(first.body, "a0");
  Value(queue_->Extend(std::vector{first.handle}, kVisibility * 2));
  state_.pass(kVisibility + std::chrono::seconds(1));
  SendMany("b", 1);
  EXPECT_EQ(Take(1), "a1 ");
  state_.pass(kVisibility);
  EXPECT_EQ(Take(3), "a0 b0 a2 ");
}

TEST_P(QueueTurns, AGroupThatComesLateDoesNotCatchUp) {
  SendMany("a", 100);
  Take(50);
  SendMany("b", 3);
  EXPECT_EQ(Take(6), "a50 b0 a51 b1 a52 b2 ");
  SendMany("b", 2);
  EXPECT_EQ(Take(4), "a53 b0 a54 b1 ");
}

TEST_P(QueueTurns, AGroupWhoseMessagesWereHeldBackDoesNotCatchUp) {
  SendMany("a", 2);
  const std::vector<Delivery> both = Value(queue_->Receive(2, kVisibility));
  for (const Delivery& delivery : both) GiveBack(delivery, std::chrono::seconds(10));
  Value(queue_->Send(
      std::vector<Message>{{.group = "c", .body = "c0", .delay = std::chrono::seconds(10)}}));
  SendMany("b", 100);
  Take(50);
  state_.pass(std::chrono::seconds(11));
  // A queue may give those messages their turns while it takes the next of the others.
  EXPECT_THAT(Take(6), testing::AnyOf("a0 c0 b50 a1 b51 b52 ", "b50 a0 c0 a1 b51 b52 "));
}

TEST_P(QueueTurns, AGroupThatComesWhileNothingWaitsDoesNotCatchUpEither) {
  SendMany("a", 5);
  Drain();  // in flight
  SendMany("b", 3);
  SendMany("a", 1, 5);
  EXPECT_EQ(Take(4), "b0 b1 a5 b2 ");
}

TEST_P(QueueTurns, WhoeverWaitsForOneAnswerBeforeTheNextKeepsItsTurn) {
  SendMany("a", 10);
  SendMany("b", 1);
  std::string received;
  for (int i = 1; i <= 4; ++i) {  // b sends its next message when its last one is done
    received += Take(2);
    SendMany("b", 1, i);
  }
  EXPECT_EQ(received, "a0 b0 a1 b1 a2 b2 a3 b3 ");
}

}  // namespace spillway::store
