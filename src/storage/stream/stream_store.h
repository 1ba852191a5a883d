#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "storage/local/file_descriptor.h"
#include "storage/object_store.h"

namespace spillway::storage {

/// An open descriptor (standard output, a pipe, /dev/null) as the place of one file, whose stage is
/// the stream itself: what is appended has left and cannot be taken back or read. Compose of that
/// stage moves no bytes; it succeeds when the ranges are everything that was written, in that
/// order, and is kConflict otherwise. Every other key (the manifest) goes to the store `rest`, which
/// may be replaced.
///
/// A second stage is kConflict. A reader that went away is kCancelled; for that the program must
/// ignore SIGPIPE. After a failed Append the stream may end in the middle of a piece, so every
/// later one fails alike. Thread-safe.
class StreamStore final : public ObjectStore {
 public:
  /// `descriptor` stays open and belongs to the caller. Writing to a pipe that takes nothing ends
  /// within a tenth of a second after `stop` was requested (kCancelled).
  StreamStore(int descriptor, std::shared_ptr<ObjectStore> rest, std::stop_token stop = {});

  /// From now on, what is not the stream goes here. The former ones stay open, since writers and
  /// readers may be theirs.
  void set_rest(std::shared_ptr<ObjectStore> rest);

  Result<std::unique_ptr<ObjectWriter>> Create(std::string_view key, Overwrite overwrite) override;
  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key, std::stop_token) override;
  Result<std::optional<ObjectInfo>> Head(std::string_view key) override;
  Result<std::vector<ObjectInfo>> List(std::string_view prefix, std::string_view start_after,
                                       size_t limit) override;
  Result<uint64_t> Remove(std::string_view key) override;
  Result<std::unique_ptr<Stage>> CreateStage(std::string_view key,
                                             const std::optional<StageTarget>&) override;
  /// Where the stream is a file, it survives a loss of power.
  Result<> Sync(std::string_view key) override;
  Result<ObjectInfo> Compose(std::string_view key, std::span<const ObjectRange> ranges,
                             std::stop_token) override;
  /// Of the rest.
  Result<> CheckInPlace() override { return rest().CheckInPlace(); }

 private:
  class StreamStage;

  ObjectStore& rest();
  int descriptor() const { return own_.open() ? own_.get() : descriptor_; }
  Result<ObjectRange> Append(std::span<const Bytes> pieces);
  Result<> WriteAll(std::span<const Bytes> pieces);
  Result<> AwaitReader();

  const int descriptor_;
  FileDescriptor own_;  // the same pipe, opened again so that only we do not block on it
  const std::stop_token stop_;

  std::mutex rests_mutex_;
  std::vector<std::shared_ptr<ObjectStore>> rests_;  // guarded by rests_mutex_; the last is in use

  std::mutex mutex_;
  std::string stage_key_;        // guarded by mutex_; empty before CreateStage
  uint64_t written_ = 0;         // guarded by mutex_
  std::optional<Error> broken_;  // guarded by mutex_
};

}  // namespace spillway::storage
