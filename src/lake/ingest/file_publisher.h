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

/// Publishes files that are written: to make an object durable is to wait for a disk, which these
/// threads do while others work. Thread-safe.
class FilePublisher {
 public:
  explicit FilePublisher(int threads);
  ~FilePublisher() { Abandon(); }

  /// What was not published yet never is. Nothing is, once this has returned.
  void Abandon();

  /// Takes over a writer that was closed; waits while many wait. The failure of an earlier file.
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
