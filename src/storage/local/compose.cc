#include "storage/local/compose.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include <fmt/format.h>

#include "storage/key.h"
#include "storage/local/path_error.h"
#include "storage/local/temporary_file.h"

namespace spillway::storage {
namespace {

/// Ranges that lie one after the other become one; empty ones vanish.
std::vector<ObjectRange> Merge(std::span<const ObjectRange> ranges) {
  std::vector<ObjectRange> merged;
  for (const ObjectRange& range : ranges) {
    if (range.bytes == 0) continue;
    if (!merged.empty() && merged.back().key == range.key &&
        merged.back().offset + merged.back().bytes == range.offset) {
      merged.back().bytes += range.bytes;
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

Result<> RequireHeld(const ObjectRange& range, uint64_t held, const DirectoryTree& tree) {
  if (range.offset <= held && range.bytes <= held - range.offset) return {};
  return Fail(
      ErrorCode::kCorrupt,
      fmt::format("{} holds {} bytes, but bytes up to {} were written to it: do not alter files in "
                  "a store; run the job again",
                  tree.Show(range.key), held, range.offset + range.bytes));
}

/// True when the open file still is the one under this name.
bool StandsAt(const DirectoryTree& tree, std::string_view path, const struct stat& open_file) {
  const auto named = tree.Status(path);
  return named && named->st_dev == open_file.st_dev && named->st_ino == open_file.st_ino;
}

/// `file` is locked, so nobody else moves it. `appended` are the bytes it got, if known.
Result<bool> MoveStage(const DirectoryTree& tree, AppendFile& file,
                       std::optional<uint64_t> appended, const ObjectRange& whole,
                       std::string_view key) {
  struct stat status;
  if (fstat(file.fd(), &status) != 0)
    return std::unexpected(PathError(errno, "read", file.shown()));
  if (!StandsAt(tree, whole.key, status)) return false;
  const auto bytes = static_cast<uint64_t>(status.st_size);
  TRY(RequireHeld(whole, std::min(bytes, appended.value_or(bytes)), tree));
  TRY(file.Truncate(whole.bytes));
  TRY(file.Sync());
  if (auto moved = Move(tree, whole.key, key, Overwrite::kAllowed, Durably::kNow); !moved) {
    if (moved.error() == ENOENT) return false;
    return std::unexpected(PathError(moved.error(), "write", tree.Show(key)));
  }
  tree.Prune(whole.key);
  return true;
}

}  // namespace

uint64_t TotalBytes(std::span<const ObjectRange> ranges) {
  uint64_t total = 0;
  for (const ObjectRange& range : ranges) total += range.bytes;
  return total;
}

std::optional<ObjectRange> WholeStage(std::span<const ObjectRange> ranges) {
  const std::vector<ObjectRange> merged = Merge(ranges);
  if (merged.size() != 1 || merged.front().offset != 0) return std::nullopt;
  if (!merged.front().key.starts_with(kPrivatePrefix)) return std::nullopt;
  return merged.front();
}

Result<bool> PublishByMove(const DirectoryTree& tree, OpenStages& open_stages,
                           const ObjectRange& whole, std::string_view key) {
  if (auto sealed = open_stages.Seal(whole.key)) {
    return MoveStage(tree, sealed->file, sealed->file.size(), whole, key);
  }
  auto opened = tree.OpenFile(whole.key, O_RDWR);
  if (!opened && opened.error() == ENOENT) return false;
  if (!opened) return std::unexpected(PathError(opened.error(), "open", tree.Show(whole.key)));
  if (flock(opened->get(), LOCK_EX | LOCK_NB) != 0) return false;
  AppendFile file(*std::move(opened), tree.Show(whole.key));
  return MoveStage(tree, file, std::nullopt, whole, key);
}

Result<> PublishByCopy(const DirectoryTree& tree, std::span<const ObjectRange> ranges,
                       std::string_view key) {
  TemporaryFile copy = TRY(TemporaryFile::Create(tree, key));
  for (const ObjectRange& range : Merge(ranges)) {
    const std::string shown = tree.Show(range.key);
    const auto source = tree.OpenFile(range.key, O_RDONLY);
    if (!source) return std::unexpected(PathError(source.error(), "open", shown));
    struct stat status;
    if (fstat(source->get(), &status) != 0) return std::unexpected(PathError(errno, "read", shown));
    TRY(RequireHeld(range, static_cast<uint64_t>(status.st_size), tree));
    TRY(copy.file().AppendFrom(source->get(), range.offset, range.bytes));
  }
  TRY(copy.Publish(key, Overwrite::kAllowed));
  return {};
}

}  // namespace spillway::storage
