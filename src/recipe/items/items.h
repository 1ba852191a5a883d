#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/digest.h"
#include "base/error.h"
#include "storage/object_store.h"

/// For recipes whose output is many small files, each in a place of its own that later jobs write
/// too, instead of a few large files that are staged and joined. A chunk puts such files in their
/// places itself, many at a time, and lists them in ChunkResult::published.
namespace spillway::recipe::items {

/// A file in the making: in memory, or from kInMemoryMax bytes on, on its way to the store. Nothing
/// is in its place before PutInPlace. One thread at a time.
class File {
 public:
  static constexpr size_t kInMemoryMax = 8 << 20;

  /// `store` outlives it; `key` is the file's place.
  File(storage::ObjectStore& store, std::string key) : store_(&store), key_(std::move(key)) {}

  Result<> Append(storage::Bytes bytes);
  /// Nothing may be appended after it.
  Result<> Finish();

  const std::string& key() const { return key_; }
  uint64_t bytes() const { return bytes_; }
  /// That are in memory.
  size_t bytes_waiting() const { return waiting_.size(); }
  /// Once finished: in hexadecimal.
  const std::string& sha256() const { return sha256_; }

 private:
  friend Result<std::vector<Result<>>> PutInPlace(storage::ObjectStore& store,
                                                  std::span<struct Item> items);
  static Result<std::vector<Result<>>> Put(storage::ObjectStore& store,
                                           std::span<File* const> files);

  storage::ObjectStore* store_;
  std::string key_;
  uint64_t bytes_ = 0;
  std::string sha256_;
  Sha256 hash_;
  Buffer waiting_;
  std::unique_ptr<storage::ObjectWriter> writer_;
};

/// What is exported or not as a whole: all files of a location's day, the file of a batch.
struct Item {
  std::vector<File> files;           ///< Finished.
  std::set<std::string> stale_keys;  ///< Of files that are not the item's any more.
};

/// When to put what waits: enough for many requests at once, little enough for memory.
constexpr size_t kItemsAtOnce = 250;
constexpr size_t kBytesAtOnce = 16 << 20;

/// Puts the files of all items in their places, many at once, and then, of each item whose files
/// all are in their places, removes what is stale. Returns what became of each item, in order. A
/// file that is there already is replaced, so an item that failed, or whose result was lost, can be
/// put again. An error of the whole call: not one of the files in memory could be put, which is the
/// store's fault and not the items'.
Result<std::vector<Result<>>> PutInPlace(storage::ObjectStore& store, std::span<Item> items);

}  // namespace spillway::recipe::items
