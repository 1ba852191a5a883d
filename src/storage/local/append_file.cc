#include "storage/local/append_file.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include <fmt/format.h>

#include "storage/local/path_error.h"
#include "storage/pending_pieces.h"

namespace spillway::storage {
namespace {

constexpr uint64_t kWritebackBytes = uint64_t{8} << 20;

bool UnfitForKernelCopy(int errno_value) {
  return errno_value == EXDEV || errno_value == EINVAL || errno_value == ENOSYS ||
         errno_value == EOPNOTSUPP;
}

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

uint64_t RoundUp(uint64_t bytes, uint64_t step) { return (bytes + step - 1) / step * step; }

}  // namespace

AppendFile::AppendFile(FileDescriptor file, std::string shown, Path path)
    : file_(std::move(file)), shown_(std::move(shown)), path_(path) {
  if (path_ == Path::kDirect && fcntl(file_.get(), F_SETFL, O_DIRECT) != 0) path_ = Path::kCached;
}

Error AppendFile::Refused(int errno_value, std::string_view tried) const {
  return PathError(errno_value, tried, shown_);
}

Result<uint64_t> AppendFile::Append(std::span<const Bytes> pieces) {
  const uint64_t begin = size_;
  TRY(path_ == Path::kDirect ? AppendDirect(pieces) : AppendCached(pieces));
  return begin;
}

Result<> AppendFile::AppendCached(std::span<const Bytes> pieces) {
  uint64_t end = size_;
  PendingPieces pending(pieces);
  for (auto next = pending.Next(); !next.empty(); next = pending.Next()) {
    const ssize_t written =
        pwritev(file_.get(), next.data(), static_cast<int>(next.size()), static_cast<off_t>(end));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return std::unexpected(Refused(errno, "write"));
    end += static_cast<uint64_t>(written);
    pending.Advance(static_cast<size_t>(written));
  }
  size_ = end;
  return {};
}

/// Copies through a block-aligned buffer that fits a core's cache. The last block is written padded
/// and, by the next append, once more.
Result<> AppendFile::AppendDirect(std::span<const Bytes> pieces) {
  uint64_t bytes = last_block_.size();
  for (const Bytes piece : pieces) bytes += piece.size();
  const size_t capacity = std::min<uint64_t>(RoundUp(bytes, kBlockBytes), kMaxWriteBytes);
  const std::unique_ptr<std::byte, Free> memory(
      static_cast<std::byte*>(std::aligned_alloc(kBlockBytes, std::max(capacity, kBlockBytes))));
  if (memory == nullptr) throw std::bad_alloc();
  const std::span<std::byte> blocks(memory.get(), capacity);

  uint64_t offset = size_ - last_block_.size();
  size_t filled = last_block_.size();
  std::ranges::copy(last_block_, blocks.begin());
  for (Bytes piece : pieces) {
    while (!piece.empty()) {
      const Bytes fitting = piece.first(std::min(piece.size(), capacity - filled));
      std::ranges::copy(fitting, blocks.begin() + static_cast<ptrdiff_t>(filled));
      filled += fitting.size();
      piece = piece.subspan(fitting.size());
      if (filled < capacity) continue;
      TRY(WriteBlocks(blocks, offset));
      offset += capacity;
      filled = 0;
    }
  }
  const size_t padded = RoundUp(filled, kBlockBytes);
  std::ranges::fill(blocks.subspan(filled, padded - filled), std::byte{0});
  TRY(WriteBlocks(blocks.first(padded), offset));
  const auto unfilled = blocks.first(filled).last(filled % kBlockBytes);
  last_block_.assign(unfilled.begin(), unfilled.end());
  size_ = offset + filled;
  return {};
}

Result<> AppendFile::WriteBlocks(std::span<const std::byte> blocks, uint64_t offset) {
  while (!blocks.empty()) {
    const ssize_t written =
        pwrite(file_.get(), blocks.data(), blocks.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    // Some file systems refuse only the write, or accept a part that ends inside a block.
    const bool misaligned = written < 0 ? errno == EINVAL : written % kBlockBytes != 0;
    if (misaligned && fcntl(file_.get(), F_GETFL) & O_DIRECT) {
      fcntl(file_.get(), F_SETFL, 0);
      continue;
    }
    if (written < 0) return std::unexpected(Refused(errno, "write"));
    blocks = blocks.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return {};
}

Result<> AppendFile::AppendFrom(int source, uint64_t offset, uint64_t bytes) {
  while (bytes > 0) {
    const uint64_t step = std::min(bytes, kWritebackBytes);
    const uint64_t copied = TRY(CopyInKernel(source, offset, step));
    if (copied < step) TRY(CopyByHand(source, offset + copied, step - copied));
    offset += step;
    bytes -= step;
    if (auto due = TakeWritebackDue()) StartWriteback(*due);
  }
  return {};
}

/// Stops short where the file systems don't support it.
Result<uint64_t> AppendFile::CopyInKernel(int source, uint64_t offset, uint64_t bytes) {
  auto from = static_cast<off64_t>(offset);
  auto to = static_cast<off64_t>(size_);
  uint64_t copied = 0;
  while (copied < bytes) {
    const ssize_t moved = copy_file_range(source, &from, file_.get(), &to, bytes - copied, 0);
    if (moved < 0 && errno == EINTR) continue;
    if (moved < 0 && !UnfitForKernelCopy(errno)) return std::unexpected(Refused(errno, "write"));
    if (moved <= 0) break;
    copied += static_cast<uint64_t>(moved);
    size_ += static_cast<uint64_t>(moved);
  }
  return copied;
}

Result<> AppendFile::CopyByHand(int source, uint64_t offset, uint64_t bytes) {
  std::vector<std::byte> buffer(std::min<uint64_t>(bytes, kMaxWriteBytes));
  while (bytes > 0) {
    const ssize_t got = pread(source, buffer.data(), std::min<uint64_t>(bytes, buffer.size()),
                              static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(Refused(errno, "read what belongs into"));
    if (got == 0) {
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("a source of {} became shorter while it was read", shown_));
    }
    const Bytes piece(buffer.data(), static_cast<size_t>(got));
    TRY(Append({&piece, 1}));
    offset += static_cast<uint64_t>(got);
    bytes -= static_cast<uint64_t>(got);
  }
  return {};
}

std::optional<AppendFile::Run> AppendFile::TakeWritebackDue() {
  if (path_ == Path::kDirect || size_ - writeback_from_ < kWritebackBytes) return std::nullopt;
  const Run due{writeback_from_, size_ - writeback_from_};
  writeback_from_ = size_;
  return due;
}

/// Only a hint: Sync reports what fails.
void AppendFile::StartWriteback(Run run) const {
  sync_file_range(file_.get(), static_cast<off64_t>(run.offset), static_cast<off64_t>(run.bytes),
                  SYNC_FILE_RANGE_WRITE);
}

Result<> AppendFile::Truncate(uint64_t bytes) {
  if (ftruncate(file_.get(), static_cast<off_t>(bytes)) != 0)
    return std::unexpected(Refused(errno, "shorten"));
  size_ = bytes;
  writeback_from_ = std::min(writeback_from_, bytes);
  return {};
}

Result<> AppendFile::Sync() {
  if (lost_) return std::unexpected(*lost_);
  int synced;
  do synced = fdatasync(file_.get());
  while (synced != 0 && errno == EINTR);
  if (synced == 0) return {};
  lost_ = Refused(errno, "sync");
  lost_->retryable = false;
  return std::unexpected(*lost_);
}

}  // namespace spillway::storage
