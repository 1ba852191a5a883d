#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace spillway::store {

/// A hint that there is work. Losing, repeating or delaying one only costs time, because every act
/// claims what it works on in the JobStore.
struct Message {
  std::string group;  ///< First in, first out within a group, unless a message is given back.
  std::string body;   ///< At most 1 KiB.
  std::chrono::milliseconds delay{0};
};

/// A received message, until its visibility ends.
struct Delivery {
  std::string handle;  ///< Valid for this delivery only.
  std::string body;
  int64_t receive_count = 1;
};

/// At-least-once delivery (the shape is SQS's). Thread-safe; any number of processes may share one.
/// Implementations of our own give each message a turn (start-time fair queueing, Goyal et al.,
/// 1996): one more than the highest of its group's messages that are there, waiting or in flight,
/// but at least the lowest of all that waited before the call (where none did, the highest of all
/// that were there). A message with a delay gets its turn when that has passed. Messages go in the
/// order of their turns, then of their sending.
class Queue {
 public:
  virtual ~Queue() = default;

  virtual Result<> Send(std::span<const Message> messages) = 0;

  /// Up to `limit` messages, which nobody else sees for `visibility`. Groups take turns: of groups
  /// that wait, each gets one message for every message that another gets, however many they have,
  /// and a new group comes before the second message of any other. A queue that others run (SQS)
  /// does so as far as it can. Empty when there is no message.
  virtual Result<std::vector<Delivery>> Receive(size_t limit,
                                                std::chrono::milliseconds visibility) = 0;

  /// Keeps the deliveries hidden for `visibility` from now, while their work goes on. Here and
  /// below, handles that are no longer valid are ignored.
  virtual Result<> Extend(std::span<const std::string> handles,
                          std::chrono::milliseconds visibility) = 0;

  /// Makes the messages visible again after `delay`, behind those that their group has waiting
  /// then, as if they were sent again.
  virtual Result<> GiveBack(std::span<const std::string> handles,
                            std::chrono::milliseconds delay) = 0;

  /// Removes messages that are done with.
  virtual Result<> Delete(std::span<const std::string> handles) = 0;

  /// Returns once there may be messages that the last Receive did not see, after `pause` at the
  /// latest, or on a stop. A queue that is not notified of messages waits for the whole pause.
  virtual void Wait(Clock& clock, std::chrono::milliseconds pause, std::stop_token stop) {
    clock.SleepFor(pause, std::move(stop));
  }

  /// Messages waiting or in flight, approximately.
  virtual Result<int64_t> Depth() = 0;
};

}  // namespace spillway::store
