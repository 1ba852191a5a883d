#include "storage/local/temporary_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

#include <fmt/format.h>

#include "base/directory_sync.h"
#include "base/random.h"
#include "storage/local/directory_listing.h"
#include "storage/local/path_error.h"

namespace spillway::storage {
namespace {

/// Made of the process id, a counter and random digits. The random digits distinguish processes
/// with the same id in different containers.
std::string UniqueName() {
  static std::atomic<uint64_t> counter = 0;
  thread_local Random random = Random::FromEntropy();
  return fmt::format("{}{}-{}-{}", kTemporaryPrefix, getpid(), counter.fetch_add(1),
                     random.Hex(16));
}

/// False when SweepAbandonedFiles was quicker.
bool Lock(int file) {
  if (flock(file, LOCK_EX | LOCK_NB) != 0) return errno != EWOULDBLOCK;
  struct stat status;
  return fstat(file, &status) == 0 && status.st_nlink > 0;
}

int Rename(const Place& from, const Place& to, Overwrite overwrite) {
  if (overwrite == Overwrite::kAllowed) {
    return renameat(from.directory.get(), from.name.c_str(), to.directory.get(), to.name.c_str());
  }
  const int linked =
      linkat(from.directory.get(), from.name.c_str(), to.directory.get(), to.name.c_str(), 0);
  // FAT and many network shares have no hard links, but can refuse to replace.
  if (linked != 0 && (errno == EPERM || errno == EOPNOTSUPP)) {
    return renameat2(from.directory.get(), from.name.c_str(), to.directory.get(), to.name.c_str(),
                     RENAME_NOREPLACE);
  }
  if (linked != 0) return linked;
  unlinkat(from.directory.get(), from.name.c_str(), 0);
  return 0;
}

}  // namespace

Result<TemporaryFile> TemporaryFile::Create(const DirectoryTree& tree, std::string_view final_key) {
  for (;;) {
    std::string path = UniqueName();
    auto file = tree.CreateFile(path, Missing::kCreate);
    if (!file) {
      if (file.error() == ENOENT) TRY(tree.CheckInPlace());
      return std::unexpected(
          PathError(file.error(), "create a file in", tree.Show(".spillway/tmp")));
    }
    if (!Lock(file->get())) continue;
    return TemporaryFile(tree, std::move(path), AppendFile(*std::move(file), tree.Show(final_key)));
  }
}

TemporaryFile::~TemporaryFile() {
  if (file_.fd() < 0 || path_.empty()) return;
  if (auto place = tree_->Locate(path_, Missing::kFail)) {
    unlinkat(place->directory.get(), place->name.c_str(), 0);
  }
  tree_->Prune(path_);
}

Result<ObjectInfo> TemporaryFile::Publish(std::string_view key, Overwrite overwrite,
                                          Durably durably) {
  if (durably == Durably::kNow) TRY(file_.Sync());
  struct stat status;
  if (fstat(file_.fd(), &status) != 0)
    return std::unexpected(PathError(errno, "read", file_.shown()));
  if (auto moved = Move(*tree_, path_, key, overwrite, durably); !moved) {
    if (moved.error() == ENOENT) TRY(tree_->CheckInPlace());
    return std::unexpected(PathError(moved.error(), "write", file_.shown()));
  }
  if (durably == Durably::kLater) path_.clear();  // the destructor has nothing to remove
  return ObjectInfo{std::string(key), file_.size(), ModifiedOf(status)};
}

DirectoryTree::Outcome<void> Move(const DirectoryTree& tree, std::string_view from,
                                  std::string_view key, Overwrite overwrite, Durably durably) {
  const bool now = durably == Durably::kNow;
  for (int attempt = 0;; ++attempt) {
    const auto source = tree.Locate(from, Missing::kFail);
    if (!source) return std::unexpected(source.error());
    const auto target = tree.Locate(key, now ? Missing::kCreateDurable : Missing::kCreate);
    if (!target) return std::unexpected(target.error());
    if (Rename(*source, *target, overwrite) == 0) {
      if (now && SyncDirectory(target->directory.get()) != 0) return std::unexpected(errno);
      return {};
    }
    const int reason = errno;
    const bool pruned = reason == ENOENT && tree.Status(from).has_value();
    if (!pruned || attempt == kPruneRetries) {
      tree.Prune(key);
      return std::unexpected(reason);
    }
  }
}

size_t SweepAbandonedFiles(const DirectoryTree& tree, bool remove) {
  auto directory = tree.OpenDirectory(".spillway/tmp", Missing::kFail);
  if (!directory) return 0;
  auto entries = ReadEntries(directory->get());
  if (!entries) return 0;
  size_t abandoned = 0;
  for (const std::string& name : *entries) {
    FileDescriptor file(openat(directory->get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file.open() || flock(file.get(), LOCK_EX | LOCK_NB) != 0) continue;
    if (!remove || unlinkat(directory->get(), name.c_str(), 0) == 0) ++abandoned;
  }
  if (remove) tree.Prune(kTemporaryPrefix);
  return abandoned;
}

}  // namespace spillway::storage
