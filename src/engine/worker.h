#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/random.h"
#include "engine/act.h"
#include "engine/work.h"

namespace spillway::engine {

/// How many chunks of a job to take at a time: one while chunks take long, up to kMax while they
/// are so short that claiming costs more than working. Not thread-safe.
class BatchSize {
 public:
  static constexpr size_t kMax = store::kSettlementsMax;
  /// What a batch shall take; a worker begins no further chunk of it after that.
  static constexpr std::chrono::milliseconds kTarget{50};

  size_t size() const { return size_; }
  /// After `chunks` took `elapsed`.
  void Learn(size_t chunks, std::chrono::microseconds elapsed);

 private:
  size_t size_ = 1;
};

/// What one thread has learned of the jobs that it works on.
struct KnownJob {
  BatchSize batch;
  int64_t open = std::numeric_limits<int64_t>::max();  ///< Chunks, after the last batch.
  std::optional<Job> job;                              ///< As it was first read.
};
using KnownJobs = std::map<std::string, KnownJob, std::less<>>;

/// Takes messages and does what they ask for. One Worker a process; Run in as many threads as
/// wanted.
class Worker {
 public:
  explicit Worker(Context context) : context_(std::move(context)) {}

  /// Works until `stop`; acts under way are then stopped and given back.
  void Run(std::stop_token stop, uint64_t seed);

  /// From now on leaves the planning of jobs to other workers.
  void StopPlanning() { plans_ = false; }

  /// Takes the next message, if any, and does what it asks for. False when there was none.
  Result<bool> Step(Random& random, KnownJobs& known);

  /// Does what a message asks for: an act, or some of a job's chunks. Returns what to do with the
  /// message; after an error it comes again when its visibility ends.
  Result<Verdict> Handle(std::string_view body, Random& random, KnownJobs& known);

 private:
  Result<Verdict> Process(std::string_view job_id, Random& random, KnownJobs& known);
  Result<Verdict> WithoutChunks(std::string_view job_id, Random& random);
  Result<Verdict> Finish(std::string_view job_id, Random& random);
  Result<Verdict> Resume(std::string_view job_id);
  Result<> AskForDiscarding(std::string_view job_id);
  Result<recipe::Destination> OpenDestination(const Job& job);

  Context context_;
  std::atomic<bool> plans_ = true;
  std::mutex intake_;  ///< Chunks go in line in the order in which they are claimed.
  std::mutex discards_mutex_;
  std::map<std::string, Timestamp, std::less<>> discards_asked_;  ///< By job, when last.
};

}  // namespace spillway::engine
