#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/digest.h"
#include "base/error.h"
#include "result/chunk_result.h"
#include "storage/object_store.h"

namespace spillway::engine {

class Staging;

/// Where a part's bytes will be in their file.
enum class PartOrder {
  kInTurn,   ///< After those of earlier chunks.
  kInPlace,  ///< The same, and the file will be published under this name in the job's directory.
  kAlone,    ///< It has the file to itself.
};

/// Where a job's files will be.
struct JobOutput {
  std::string directory;
  int64_t chunks = 0;  ///< Of the whole job.
};

/// Collects one part of one chunk: digests its bytes, and stages them when it is the chunk's turn.
/// Until then they wait in memory, up to a limit; at the limit the writer waits. Where the store
/// takes several appends at once, those under way are in memory too. One thread at a time; dropping
/// it without Finish leaves bytes in the stage that nothing refers to.
class PartWriter {
 public:
  /// Where the part's next bytes go: append, then Commit.
  Buffer& buffer() { return *pending_; }

  /// Digests what was appended, and stages it once there is enough.
  Result<> Commit(std::stop_token stop);

  /// Waits for the turn and stages the rest. `rows` are the rows the part holds.
  Result<Part> Finish(int64_t rows, std::stop_token stop);

  /// Bytes committed so far.
  uint64_t bytes() const { return staged_ + digested_; }

 private:
  friend class Staging;
  PartWriter(Staging& staging, std::string file, int64_t chunk, PartOrder order,
             std::unique_ptr<Buffer> empty)
      : staging_(staging),
        file_(std::move(file)),
        chunk_(chunk),
        order_(order),
        pending_(std::move(empty)) {}

  /// An append under way.
  struct Flight {
    std::unique_ptr<Buffer> bytes;
    std::future<Result<storage::ObjectRange>> range;  ///< Ends before its bytes do.
  };

  bool IsTurn();
  Result<> AwaitTurn(std::stop_token stop);
  /// Begins to stage all but the last `kept` bytes.
  Result<> Flush(size_t kept, std::stop_token stop);
  /// Waits until there are fewer flights.
  Result<> Land(size_t fewer_than);

  Staging& staging_;
  std::string file_;
  int64_t chunk_;
  PartOrder order_;
  /// Whether the store may put its bytes in place; known once there are more than the first ones.
  std::optional<bool> in_place_;
  std::unique_ptr<Buffer> pending_;
  size_t digested_ = 0;  ///< Bytes of pending_.
  uint64_t staged_ = 0;  ///< Bytes that are staged, or on their way.
  Sha256 hash_;
  std::vector<storage::ObjectRange> ranges_;
  std::deque<Flight> flights_;
  std::unique_ptr<Buffer> landed_;  ///< Memory of the last flight, to be used again.
};

/// What one process stages for one job. Chunks of a file that run here at the same time are staged
/// in the order of their indices, into one stage a file; so the usual file is already in one piece
/// when it is published. Nothing depends on that order: parts say where they are. Thread-safe.
class Staging {
 public:
  /// Stage keys start with `prefix` and `owner`, which must be new for every Staging.
  Staging(storage::ObjectStore& store, std::string prefix, std::string owner,
          size_t pending_bytes_max, JobOutput output = {})
      : store_(store),
        prefix_(std::move(prefix)),
        owner_(std::move(owner)),
        pending_bytes_max_(pending_bytes_max),
        output_(std::move(output)) {}

  /// The prefix below which every process stages for this job.
  static std::string PrefixOf(std::string_view job_id);

  /// A chunk's place in the line, from Enter until it goes out of scope.
  class Place {
   public:
    Place() = default;
    Place(Staging& staging, int64_t chunk) : staging_(&staging), chunk_(chunk) {}
    Place(Place&& other) noexcept
        : staging_(std::exchange(other.staging_, nullptr)), chunk_(other.chunk_) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(staging_, other.staging_);
      std::swap(chunk_, other.chunk_);
      return *this;
    }
    ~Place() {
      if (staging_ != nullptr) staging_->Leave(chunk_);
    }

   private:
    Staging* staging_ = nullptr;
    int64_t chunk_ = 0;
  };

  /// Puts a claimed chunk in line. To keep the order, chunks enter in the order they were received.
  Place Enter(int64_t chunk);

  /// Starts a part of a chunk that is in line.
  PartWriter NewPart(std::string file, int64_t chunk, PartOrder order);

  /// Stages bytes of a file outside any chunk (a directory, a footer), as a part without rows.
  Result<Part> Append(std::string_view file, std::span<const std::byte> bytes);

  /// Stores an object beside the stages, below a name that nobody else uses. Returns its key.
  Result<std::string> Put(std::string_view name, std::string_view text);

  /// Reads an object that planning or Put has stored, by the key that it returned.
  Result<std::string> Read(std::string_view key, std::stop_token stop);

 private:
  friend class PartWriter;

  void Leave(int64_t chunk);
  Result<storage::Stage*> StageOf(std::string_view file, PartOrder order);
  /// Whether a part is the first of its file and chunk to ask.
  bool TakePlace(const std::string& file, int64_t chunk);
  /// An empty buffer, with the most memory that there is to be used again.
  std::unique_ptr<Buffer> TakeSpare();
  void KeepSpare(std::unique_ptr<Buffer> buffer);

  storage::ObjectStore& store_;
  const std::string prefix_;
  const std::string owner_;
  const size_t pending_bytes_max_;
  const JobOutput output_;

  std::mutex mutex_;
  std::condition_variable_any left_;
  std::multiset<int64_t> line_;
  /// Buffers of finished parts, while there are chunks in line: memory that a process sees for the
  /// first time costs more than writing to it. At most pending_bytes_max together.
  std::vector<std::unique_ptr<Buffer>> spare_;
  size_t spare_bytes_ = 0;
  std::map<std::string, std::unique_ptr<storage::Stage>, std::less<>> stages_;
  int64_t stages_asked_for_ = 0;
  /// The chunks of each file with a part that may be in place. The store keeps no room before a
  /// second one of the same chunk, as an attempt has that goes on from a position.
  std::map<std::string, std::set<int64_t>, std::less<>> placed_;
};

}  // namespace spillway::engine
