#include "storage/local/directory_listing.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>

#include "storage/key.h"
#include "storage/local/path_error.h"

namespace spillway::storage {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

unsigned char TypeOf(int directory, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type;
  struct stat status;
  if (fstatat(directory, entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return DT_UNKNOWN;
  return IFTODT(status.st_mode);
}

class Walk {
 public:
  Walk(const DirectoryTree& tree, std::string_view prefix, std::string_view start_after,
       size_t limit)
      : tree_(tree), prefix_(prefix), start_after_(start_after), limit_(limit) {}

  /// `key` is "" or ends with '/'.
  Result<> Enter(const std::string& key) {
    auto directory = tree_.OpenDirectory(key, Missing::kFail);
    if (!directory && (directory.error() == ENOENT || directory.error() == ENOTDIR)) return {};
    if (!directory) return std::unexpected(PathError(directory.error(), "list", tree_.Show(key)));
    const auto entries = ReadEntries(directory->get());
    if (!entries) return std::unexpected(PathError(entries.error(), "list", tree_.Show(key)));
    for (const std::string& name : *entries) {
      if (found_.size() >= limit_) return {};
      TRY(Visit(directory->get(), name, key + name));
    }
    return {};
  }

  std::vector<ObjectInfo> found() && { return std::move(found_); }

 private:
  Result<> Visit(int directory, const std::string& name, const std::string& key) {
    if (key.ends_with('/')) return MayHold(key) ? Enter(key) : Result<>();
    if (!key.starts_with(prefix_) || key <= start_after_) return {};
    struct stat status;
    if (fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return {};
      return std::unexpected(PathError(errno, "list", tree_.Show(key)));
    }
    found_.push_back({key, static_cast<uint64_t>(status.st_size), ModifiedOf(status)});
    return {};
  }

  bool MayHold(const std::string& directory) const {
    if (directory == kPrivatePrefix && !prefix_.starts_with(kPrivatePrefix)) return false;
    if (!directory.starts_with(prefix_) && !prefix_.starts_with(directory)) return false;
    return directory > start_after_ || start_after_.starts_with(directory);
  }

  const DirectoryTree& tree_;
  const std::string_view prefix_;
  const std::string_view start_after_;
  const size_t limit_;
  std::vector<ObjectInfo> found_;
};

}  // namespace

Timestamp ModifiedOf(const struct stat& status) {
  return Timestamp(std::chrono::seconds(status.st_mtim.tv_sec) +
                   std::chrono::microseconds(status.st_mtim.tv_nsec / 1000));
}

DirectoryTree::Outcome<std::vector<std::string>> ReadEntries(int directory) {
  FileDescriptor own(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!own.open()) return std::unexpected(errno);
  const std::unique_ptr<DIR, CloseDirectory> stream(fdopendir(own.get()));
  if (stream == nullptr) return std::unexpected(errno);
  static_cast<void>(own.Release());
  std::vector<std::string> entries;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(stream.get());
    if (entry == nullptr && errno != 0) return std::unexpected(errno);
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    const unsigned char type = TypeOf(directory, *entry);
    if ((type != DT_REG && type != DT_DIR) || !IsKeySegment(name)) continue;
    entries.push_back(type == DT_DIR ? name + "/" : name);
  }
  std::ranges::sort(entries);
  return entries;
}

Result<std::vector<ObjectInfo>> ListTree(const DirectoryTree& tree, std::string_view prefix,
                                         std::string_view start_after, size_t limit) {
  Walk walk(tree, prefix, start_after, limit);
  const size_t slash = prefix.rfind('/');
  TRY(walk.Enter(slash == std::string_view::npos ? "" : std::string(prefix.substr(0, slash + 1))));
  return std::move(walk).found();
}

}  // namespace spillway::storage
