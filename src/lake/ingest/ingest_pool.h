#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <variant>
#include <vector>

#include "base/error.h"
#include "lake/ingest/line_blocks.h"
#include "lake/ingest/partition_buffers.h"

namespace spillway::lake {

/// The threads of one ingest. A thread writes what waits to be written before it parses more, so
/// that memory is given back first; once every block is parsed, the rest is written.
class IngestPool {
 public:
  /// What one thread does. Used by that thread only.
  struct Worker {
    /// Parses; returns rows that should be written now.
    std::function<Result<std::vector<PartitionRows>>(LineBlock)> parse;
    std::function<Result<>(const PartitionRows&, std::stop_token)> write;
  };

  /// `make_worker` is called once a thread, `take_all` once, when every block is parsed.
  IngestPool(int threads, const std::function<Worker()>& make_worker,
             std::function<std::vector<PartitionRows>()> take_all, std::stop_token stop);
  /// Ends the threads, whether they are done or not.
  ~IngestPool();

  /// Waits for room. False when the work has failed or was stopped: Finish says how.
  bool Add(LineBlock block);

  /// After the last block: waits until all is parsed and written, and calls `meanwhile` ten times a
  /// second. kCancelled after a stop.
  Result<> Finish(const std::function<void()>& meanwhile);

 private:
  using Task = std::variant<PartitionRows, LineBlock>;

  void Run(const Worker& worker);
  std::optional<Task> Next();
  Result<> Do(const Worker& worker, Task& task);
  void Done(const Task& task);
  void AddWrites(std::vector<PartitionRows> rows);
  void Fail(Error error);

  const size_t blocks_max_;
  int running_;
  const std::function<std::vector<PartitionRows>()> take_all_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<LineBlock> blocks_;
  std::deque<PartitionRows> writes_;
  size_t parsing_ = 0;
  bool input_ended_ = false;
  bool took_all_ = false;
  std::optional<Error> failure_;
  std::stop_source abort_;
  std::stop_callback<std::function<void()>> on_stop_;
  std::vector<std::jthread> threads_;
};

}  // namespace spillway::lake
