#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/error.h"
#include "lake/ingest/data_file_writer.h"
#include "lake/lake.h"

namespace spillway::lake {

/// Publishes finished files on threads of its own, which wait for the disk while others work.
/// Thread-safe.
class FilePublisher {
 public:
  explicit FilePublisher(int threads);
  ~FilePublisher() { Abandon(); }

  /// Files that are not published yet never will be. After this has returned, none is published.
  void Abandon();

  /// Takes over a closed writer; waits while many are waiting. Returns the error of an earlier
  /// file.
  Result<> Add(std::unique_ptr<DataFileWriter> writer);

  /// After the last Add: waits for all, and returns them.
  Result<std::vector<DataFile>> Finish();

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<DataFileWriter>> waiting_;
  bool ended_ = false;
  std::optional<Error> failure_;
  std::vector<DataFile> files_;
  std::vector<std::jthread> threads_;
};

}  // namespace spillway::lake
