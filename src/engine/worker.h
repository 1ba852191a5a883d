#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/act.h"
#include "engine/processor.h"
#include "engine/work.h"

namespace spillway::engine {

/// How many chunks to take at a time: one while chunks take long, up to kMax while they are so
/// short that claiming costs more than working. Not thread-safe.
class BatchSize {
 public:
  static constexpr size_t kMax = store::kSettlementsMax;

  size_t size() const { return size_; }
  /// After `chunks` took `elapsed`.
  void Learn(size_t chunks, std::chrono::microseconds elapsed);

 private:
  size_t size_ = 1;
};

/// Takes messages and acts on them. One Worker a process; Run in as many threads as wanted.
class Worker {
 public:
  explicit Worker(Context context) : context_(std::move(context)) {}

  /// Works until `stop`; acts under way are then stopped and given back.
  void Run(std::stop_token stop, uint64_t seed);

  /// From now on leaves the planning of jobs to other workers.
  void StopPlanning() { plans_ = false; }

  /// Takes what is next and does all of it; the first error, if any. False when there was nothing
  /// to do.
  Result<bool> Step(Random& random, BatchSize& batch);

 private:
  struct Taken {
    HeldChunks chunks;
    std::optional<Work> act;
    std::string handle;
  };

  Result<> Take(size_t limit, std::vector<Taken>& taken);
  Result<> DoAct(const Work& work, const std::string& handle, Random& random);

  Context context_;
  std::atomic<bool> plans_ = true;
  std::mutex intake_;  ///< Chunks go in line in the order of their delivery.
};

}  // namespace spillway::engine
