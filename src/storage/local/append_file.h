#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "storage/local/file_descriptor.h"
#include "storage/object_store.h"

namespace spillway::storage {

/// A file that grows at its end. Writing to the disk is started early, so that Sync has little left
/// to wait for. Not thread-safe, except for StartWriteback.
class AppendFile {
 public:
  /// How bytes reach the disk. With kDirect, large appends bypass the page cache (O_DIRECT), whose
  /// pages cost more than the writing itself where memory is scarce or virtual. The file then ends
  /// in up to kBlockBytes of padding until it is truncated. Falls back where the file system
  /// refuses.
  enum class Path { kCached, kDirect };

  /// `file` is empty; `shown` names it in errors.
  AppendFile(FileDescriptor file, std::string shown, Path path = Path::kCached);

  /// Adds the pieces and returns where they begin. After a failure the file's length counts as
  /// unchanged.
  Result<uint64_t> Append(std::span<const Bytes> pieces);

  /// Adds bytes of another file, in the kernel where it can.
  Result<> AppendFrom(int source, uint64_t offset, uint64_t bytes);

  /// A run of bytes that is long enough to start writing it to the disk. Each is returned once.
  struct Run {
    uint64_t offset = 0;
    uint64_t bytes = 0;
  };
  std::optional<Run> TakeWritebackDue();
  void StartWriteback(Run run) const;

  /// Cuts everything after `bytes`.
  Result<> Truncate(uint64_t bytes);

  /// Makes all bytes survive a loss of power. A failure is permanent: the kernel may have dropped
  /// the bytes.
  Result<> Sync();

  uint64_t size() const { return size_; }
  int fd() const { return file_.get(); }
  const std::string& shown() const { return shown_; }

 private:
  /// What direct writes are aligned to, in memory and in the file.
  static constexpr size_t kBlockBytes = 4096;

  Result<> AppendCached(std::span<const Bytes> pieces);
  Result<> AppendDirect(std::span<const Bytes> pieces);
  Result<> WriteBlocks(std::span<const std::byte> blocks, uint64_t offset);
  Result<uint64_t> CopyInKernel(int source, uint64_t offset, uint64_t bytes);
  Result<> CopyByHand(int source, uint64_t offset, uint64_t bytes);
  Error Refused(int errno_value, std::string_view tried) const;

  FileDescriptor file_;
  std::string shown_;
  Path path_;
  std::vector<std::byte> last_block_;  ///< What a direct file's last, unfilled block holds.
  uint64_t size_ = 0;
  uint64_t writeback_from_ = 0;
  std::optional<Error> lost_;
};

}  // namespace spillway::storage
