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
  std::string group;  ///< First in, first out within a group, as far as no delivery fails.
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
class Queue {
 public:
  virtual ~Queue() = default;

  virtual Result<> Send(std::span<const Message> messages) = 0;

  /// Up to `limit` messages, oldest first, which nobody else sees for `visibility`. Empty when
  /// there is none.
  virtual Result<std::vector<Delivery>> Receive(size_t limit,
                                                std::chrono::milliseconds visibility) = 0;

  /// Sets the time until the deliveries show up again, from now; zero gives them back at once.
  /// Handles that are no longer valid are passed over.
  virtual Result<> SetVisibility(std::span<const std::string> handles,
                                 std::chrono::milliseconds visibility) = 0;

  /// Done with them. Handles that are no longer valid are passed over.
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
