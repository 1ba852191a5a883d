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

/// A hint that there is work. It carries no truth: losing, doubling or delaying one changes nothing
/// but time, because every act claims what it works on in the JobStore.
struct Message {
  std::string group;  ///< First in, first out within a group, as far as none is given back.
  std::string body;   ///< At most 1 KiB.
  std::chrono::milliseconds delay{0};
};

/// A message in somebody's hands until its visibility ends.
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

  /// Up to `limit` messages, which nobody else sees for `visibility`. Groups take turns: a group
  /// that has been waiting gets one message for each that another gets, however many they have, and
  /// a new group comes before the second message of any other. A queue that others run (SQS) does
  /// so as far as it can. Empty when there is none.
  virtual Result<std::vector<Delivery>> Receive(size_t limit,
                                                std::chrono::milliseconds visibility) = 0;

  /// Keeps the deliveries hidden for `visibility` from now, while their work goes on. Handles that
  /// are no longer valid are passed over, here and below.
  virtual Result<> Extend(std::span<const std::string> handles,
                          std::chrono::milliseconds visibility) = 0;

  /// Shows them again after `delay`, behind what their group has waiting then: as if they were sent
  /// again.
  virtual Result<> GiveBack(std::span<const std::string> handles,
                            std::chrono::milliseconds delay) = 0;

  /// Done with them.
  virtual Result<> Delete(std::span<const std::string> handles) = 0;

  /// Returns once there may be messages that the last Receive did not see, after `pause` at the
  /// latest, or on a stop. A queue that nobody tells of messages lets the time pass.
  virtual void Wait(Clock& clock, std::chrono::milliseconds pause, std::stop_token stop) {
    clock.SleepFor(pause, std::move(stop));
  }

  /// Messages waiting or in flight, approximately.
  virtual Result<int64_t> Depth() = 0;
};

}  // namespace spillway::store
