#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace spillway::storage {

class Links;
class Maintenance;

/// Bytes ready to be written, in pieces.
using Bytes = std::span<const std::byte>;

/// What a store knows of an object.
struct ObjectInfo {
  std::string key;
  uint64_t bytes = 0;
  Timestamp modified;
};

/// A run of bytes inside a stored or staged object.
struct ObjectRange {
  std::string key;
  uint64_t offset = 0;
  uint64_t bytes = 0;

  bool operator==(const ObjectRange&) const = default;
};

/// A small object, whole in memory.
struct NewObject {
  std::string key;
  Bytes bytes;
};

/// Whether Create may take the place of an object that is there.
enum class Overwrite { kNever, kAllowed };

/// One object being written. Nothing is visible under its key until Finish returns success; a
/// destructor without Finish leaves nothing behind. Used by one thread at a time.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;
  virtual Result<> Write(Bytes bytes) = 0;
  /// Makes the object durable and visible, at once and whole. kAlreadyExists when created with
  /// Overwrite::kNever and the key was taken meanwhile: exactly one of several racing writers wins.
  virtual Result<ObjectInfo> Finish() = 0;
};

/// One object being read. Thread-safe.
class ObjectReader {
 public:
  virtual ~ObjectReader() = default;
  virtual uint64_t size() const = 0;
  /// Fills `into` from `offset`; returns the bytes read, fewer only at the end of the object.
  virtual Result<size_t> ReadAt(uint64_t offset, std::span<std::byte> into) = 0;
};

/// Bytes on their way into a published object. A stage belongs to one process; other processes of
/// the same job have stages of their own, so a writer that lost its lease cannot damage anybody's
/// bytes. A stage survives its process: Compose and Remove find it by its key. Until it is closed
/// it may take up to 4 KiB more than was appended. Thread-safe.
class Stage {
 public:
  virtual ~Stage() = default;
  /// Adds the pieces, one after the other, and returns where they are. After a failure Compose sees
  /// none of them, since it reads only ranges that were returned.
  virtual Result<ObjectRange> Append(std::span<const Bytes> pieces, std::stop_token stop) = 0;

  /// Begins an Append, whose bytes come after those of earlier calls. If `chunk` says which of the
  /// target's chunks the bytes belong to, the store may put them where they will be read; then only
  /// a Compose of the target can use them. The bytes and the stage must stay until the future is
  /// ready; its destructor waits. The default implementation is ready at once.
  virtual std::future<Result<ObjectRange>> Begin(Bytes bytes, std::optional<int64_t> chunk,
                                                 std::stop_token stop);
};

/// The object that a stage's bytes will become part of.
struct StageTarget {
  std::string key;     ///< The key that Compose will be given.
  int64_t chunks = 0;  ///< The most it can have. Indices start at 0 and give the order.
};

/// What a store is like. Given when it is opened; the defaults are those of a local directory.
struct Traits {
  /// About how many bytes an Append or a ReadAt should have. Smaller ones cost more for each byte.
  size_t transfer_bytes = size_t{1} << 20;

  /// How many appends of one part, and how many small objects, to have under way at the same time, if
  /// each is mostly waiting.
  size_t appends_at_once = 1;
  size_t puts_at_once = 1;

  /// Compose joins what was appended in runs of at least this many bytes without moving it; shorter
  /// runs it has to read back.
  size_t join_bytes_min = 0;

  /// Changes whenever staged bytes that were not synced may have been lost: the machine's boot id
  /// for a local directory, empty where every append is durable at once. Bytes of an earlier epoch
  /// must be read back and checked before they are used.
  std::string epoch = {};
};

/// A place for objects: a directory or a bucket. Keys are relative, `/`-separated, with no empty,
/// `.` or `..` segment; anything else is kInvalidArgument. Calls that may take long end with
/// kCancelled within a second of `stop`. Thread-safe.
///
/// These calls are all that exports and the lake need. What only some stores have is in interfaces of
/// their own: maintenance() and links().
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  const Traits& traits() const { return traits_; }

  virtual Result<std::unique_ptr<ObjectWriter>> Create(std::string_view key,
                                                       Overwrite overwrite) = 0;

  /// Puts small objects, replacing what is there; each is durable, and visible at once and whole.
  /// Returns a result for each, in order: one that fails does not affect the others. The default
  /// implementation puts as many at the same time as the traits say.
  virtual std::vector<Result<ObjectInfo>> PutMany(std::span<const NewObject> objects);

  /// kNotFound when there is none. `stop` also ends later reads of the reader.
  virtual Result<std::unique_ptr<ObjectReader>> Open(std::string_view key,
                                                     std::stop_token stop) = 0;

  virtual Result<std::optional<ObjectInfo>> Head(std::string_view key) = 0;

  /// The first `limit` objects whose key starts with `prefix` and sorts after `start_after`, in
  /// byte order of their keys. Staged and unfinished objects are listed only if `prefix` starts
  /// with kPrivatePrefix.
  virtual Result<std::vector<ObjectInfo>> List(std::string_view prefix,
                                               std::string_view start_after, size_t limit) = 0;

  /// Removes an object or a stage; success when there is none. Returns the bytes it held.
  virtual Result<uint64_t> Remove(std::string_view key) = 0;

  /// Opens a new stage, under a key that starts with kPrivatePrefix (key.h); kAlreadyExists when
  /// the key is taken. If its target is known, the store may put some of the bytes where they will
  /// be read (Stage::Begin). A chunk's ranges that were begun without its number then come before
  /// those begun with it, and are at least join_bytes_min long.
  virtual Result<std::unique_ptr<Stage>> CreateStage(std::string_view key,
                                                     const std::optional<StageTarget>& target) = 0;

  /// Makes what is staged under the key, by any process, survive a loss of power.
  virtual Result<> Sync(std::string_view key) = 0;

  /// Publishes the ranges, one after the other, as `key`: durable, and visible at once and whole.
  /// The stages may be consumed. Where the store can join without moving bytes (one range that is a
  /// whole stage, UploadPartCopy), it does. Repeatable: composing again what is already composed
  /// succeeds.
  virtual Result<ObjectInfo> Compose(std::string_view key, std::span<const ObjectRange> ranges,
                                     std::stop_token stop) = 0;

  /// Whether the name by which the store was opened stands for it still; nothing can be published to
  /// it otherwise. Retryable errors: kConflict once something else is there, which may be opened in
  /// its place; kUnavailable while nothing is, or nothing is mounted there any more.
  virtual Result<> CheckInPlace() { return {}; }

  /// maintenance.h. Null where nothing is ever left behind, and Overwrite::kNever always holds.
  virtual Maintenance* maintenance() { return nullptr; }

  /// links.h. Null where objects have no links.
  virtual Links* links() { return nullptr; }

 protected:
  explicit ObjectStore(Traits traits = {}) : traits_(std::move(traits)) {}

 private:
  const Traits traits_;
};

}  // namespace spillway::storage
