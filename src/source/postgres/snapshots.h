#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.h"
#include "source/postgres/query_reader.h"

namespace spillway::postgres_source {

/// Keeps the snapshots that this process planned jobs with, each until its job is over. A snapshot
/// ends with the session that exported it, and cannot be restored. Also keeps sessions open for the
/// next chunk of the same job. Checks once a second which jobs are over. Everything ends with the
/// process. Thread-safe.
class Snapshots {
 public:
  using IsOver = std::function<bool(std::string_view job_id)>;

  /// `is_over` is called in a thread of its own.
  explicit Snapshots(IsOver is_over);
  ~Snapshots();

  void Keep(std::string job_id, std::string snapshot, std::unique_ptr<QueryReader> holder);

  /// Whether any job that is not over needs a snapshot that is kept here.
  bool AreNeeded();

  /// The session that exported a job's snapshot, for what only that session can read. Nobody else
  /// has it while the pointer lives. `reading` is how another session would read the snapshot.
  /// kUnavailable when another thread has it (retryable), or another process (elsewhere); kConflict
  /// when it was lost. Errors also as QueryReader::Open's.
  Result<std::shared_ptr<QueryReader>> BorrowHolder(std::string_view job_id,
                                                    const ReadOptions& reading,
                                                    std::stop_token stop);

  /// A reader that is given back at the end.
  class Borrowed {
   public:
    Borrowed(Snapshots& snapshots, std::string key, std::unique_ptr<QueryReader> reader)
        : snapshots_(&snapshots), key_(std::move(key)), reader_(std::move(reader)) {}
    Borrowed(Borrowed&&) = default;
    Borrowed& operator=(Borrowed&&) = delete;
    ~Borrowed();

    QueryReader& operator*() const { return *reader_; }
    QueryReader* operator->() const { return reader_.get(); }

   private:
    Snapshots* snapshots_;
    std::string key_;
    std::unique_ptr<QueryReader> reader_;
  };

  /// A reader of `options.snapshot`. Errors as QueryReader::Open's.
  Result<Borrowed> Borrow(const ReadOptions& options, std::stop_token stop);

 private:
  struct Held {
    std::string job_id;
    std::string snapshot;
    std::shared_ptr<QueryReader> reader;
  };
  struct Idle {
    std::string key;
    std::unique_ptr<QueryReader> reader;
    std::chrono::steady_clock::time_point since;
  };

  /// Null when this process does not have it.
  Result<std::shared_ptr<QueryReader>> FindHolder(std::string_view job_id,
                                                  std::string_view snapshot);
  void Return(std::string key, std::unique_ptr<QueryReader> reader);
  std::vector<std::string> HeldJobs();
  void Run(const std::stop_token& stop);
  void DropWhatIsOver();

  const IsOver is_over_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::list<Held> held_;
  std::list<Idle> idle_;
  std::jthread sweeper_;
};

}  // namespace spillway::postgres_source
