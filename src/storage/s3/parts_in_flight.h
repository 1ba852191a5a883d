#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <optional>
#include <vector>

#include "storage/s3/client.h"

namespace spillway::storage::s3 {

/// Sends parts of one upload, each on a thread of its own, within limits on their number and their
/// bytes (but always at least one). Used by one thread; the destructor waits.
class PartsInFlight {
 public:
  PartsInFlight(size_t parts_max, uint64_t bytes_max)
      : parts_max_(parts_max), bytes_max_(bytes_max) {}

  /// Waits for room, then sends. Returns the error of an earlier part instead, if there is one.
  Result<> Start(uint64_t bytes, std::function<Result<UploadedPart>()> send) {
    while (!flights_.empty() && (flights_.size() >= parts_max_ || bytes_ + bytes > bytes_max_)) {
      Land();
    }
    if (failure_.has_value()) return std::unexpected(*failure_);
    bytes_ += bytes;
    flights_.push_back({bytes, std::async(std::launch::async, std::move(send))});
    return {};
  }

  /// Waits for all parts; returns them in the order in which they were started.
  Result<std::vector<UploadedPart>> Finish() {
    while (!flights_.empty()) Land();
    if (failure_.has_value()) return std::unexpected(*failure_);
    return std::move(landed_);
  }

 private:
  struct Flight {
    uint64_t bytes;
    std::future<Result<UploadedPart>> part;
  };

  void Land() {
    Result<UploadedPart> part = flights_.front().part.get();
    bytes_ -= flights_.front().bytes;
    flights_.pop_front();
    if (part.has_value()) {
      landed_.push_back(*std::move(part));
    } else if (!failure_.has_value()) {
      failure_ = std::move(part).error();
    }
  }

  const size_t parts_max_;
  const uint64_t bytes_max_;
  uint64_t bytes_ = 0;
  std::optional<Error> failure_;
  std::vector<UploadedPart> landed_;
  std::deque<Flight> flights_;
};

}  // namespace spillway::storage::s3
