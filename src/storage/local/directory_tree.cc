#include "storage/local/directory_tree.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <expected>
#include <filesystem>
#include <utility>

#include <linux/openat2.h>

#include "base/directory_sync.h"
#include "storage/local/path_error.h"

namespace spillway::storage {
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::pair<std::string_view, std::string_view> SplitLast(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

/// ENOTDIR says "file" and "symbolic link" alike; a link is worth its own message.
int ReasonNotOpened(int directory, const std::string& name, int error) {
  struct stat status;
  const bool link = error == ENOTDIR &&
                    fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                    S_ISLNK(status.st_mode);
  return link ? ELOOP : error;
}

DirectoryTree::Outcome<FileDescriptor> OpenStep(int directory, const std::string& name,
                                                Missing missing) {
  FileDescriptor opened(openat(directory, name.c_str(), kDirectoryFlags));
  if (opened.open()) return opened;
  if (errno != ENOENT || missing == Missing::kFail) {
    return std::unexpected(ReasonNotOpened(directory, name, errno));
  }
  if (mkdirat(directory, name.c_str(), 0777) != 0 && errno != EEXIST) return std::unexpected(errno);
  if (missing == Missing::kCreateDurable && SyncDirectory(directory) != 0)
    return std::unexpected(errno);
  opened = FileDescriptor(openat(directory, name.c_str(), kDirectoryFlags));
  if (!opened.open()) return std::unexpected(ReasonNotOpened(directory, name, errno));
  return opened;
}

/// Opens an existing directory by one call, which follows no link and cannot leave the tree. On any
/// failure, also on kernels without that call, it returns a closed descriptor; the caller then
/// walks the path, which finds the reason.
FileDescriptor OpenAtOnce(int directory, std::string_view path) {
  open_how how{};
  how.flags = static_cast<uint64_t>(kDirectoryFlags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const std::string name(path.empty() ? "." : path);
  return FileDescriptor(
      static_cast<int>(syscall(SYS_openat2, directory, name.c_str(), &how, sizeof(how))));
}

bool IsRemoved(int directory) {
  struct stat status;
  return fstat(directory, &status) == 0 && status.st_nlink == 0;
}

/// Repeats `create` while somebody else removes the empty directory that it creates something in,
/// but not below a root that was removed itself.
auto WhilePruned(int root, Missing missing, auto create) {
  auto created = create();
  for (int i = 0; missing != Missing::kFail && !created && created.error() == ENOENT &&
                  i < kPruneRetries && !IsRemoved(root);
       ++i) {
    created = create();
  }
  return created;
}

/// Whoever named a file as the place for objects named a wrong place, not one that is missing.
Error RootError(int reason, std::string_view tried, const std::string& root) {
  Error error = PathError(reason, tried, root);
  if (reason == ENOTDIR) error.code = ErrorCode::kInvalidArgument;
  return error;
}

/// Makes a directory that was not there, and what is missing above it, so that they survive a loss
/// of power.
Result<> CreateRoot(const std::filesystem::path& root) {
  std::error_code error;
  if (std::filesystem::is_directory(root, error)) return {};
  const std::filesystem::path above = root.has_parent_path() ? root.parent_path() : ".";
  if (above != root) TRY(CreateRoot(above));
  std::filesystem::create_directory(root, error);
  if (error) {
    const int reason = std::filesystem::exists(root) ? ENOTDIR : error.value();
    return std::unexpected(RootError(reason, "create", root.string()));
  }
  const FileDescriptor directory(open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.open() || SyncDirectory(directory.get()) != 0) {
    return std::unexpected(PathError(errno, "sync", above.string()));
  }
  return {};
}

}  // namespace

namespace {

/// The status, or an errno value.
std::expected<struct statx, int> StatusOf(int directory, const char* path, int flags) {
  struct statx status{};
  if (statx(directory, path, flags, STATX_INO | STATX_TYPE, &status) != 0)
    return std::unexpected(errno);
  return status;
}

bool IsMounted(const struct statx& status) {
  return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

}  // namespace

Result<DirectoryTree> DirectoryTree::Open(const std::string& root, bool create) {
  if (create) TRY(CreateRoot(root));
  FileDescriptor directory(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.open()) return std::unexpected(RootError(errno, "open the directory", root));
  const auto status = StatusOf(directory.get(), "", AT_EMPTY_PATH);
  if (!status) return std::unexpected(PathError(status.error(), "look at", root));
  return DirectoryTree(root, std::move(directory), IsMounted(*status));
}

Result<> DirectoryTree::CheckInPlace() const {
  const auto held = StatusOf(directory_.get(), "", AT_EMPTY_PATH);
  const auto named = StatusOf(AT_FDCWD, root_.c_str(), 0);
  for (const auto* status : {&held, &named}) {
    const bool known = *status || status->error() == ENOENT || status->error() == ENOTDIR;
    if (!known) return std::unexpected(PathError(status->error(), "look at", root_));
  }
  const bool same = held && named && held->stx_ino == named->stx_ino &&
                    held->stx_dev_major == named->stx_dev_major &&
                    held->stx_dev_minor == named->stx_dev_minor;
  if (same) return {};
  const std::string what = root_ + " is no longer the directory that was opened: ";
  if (!named || !S_ISDIR(named->stx_mode)) {
    return FailTransient(ErrorCode::kUnavailable,
                         what + "it was moved or removed; put it back, or make it again");
  }
  if (mounted_ && !IsMounted(*named)) {
    return FailTransient(ErrorCode::kUnavailable,
                         what + "nothing is mounted there any more; mount it again");
  }
  return FailTransient(ErrorCode::kConflict, what + "another one is there now");
}

auto DirectoryTree::Walk(std::string_view path, Missing missing) const -> Outcome<FileDescriptor> {
  if (FileDescriptor whole = OpenAtOnce(directory_.get(), path); whole.open()) return whole;
  FileDescriptor here(openat(directory_.get(), ".", kDirectoryFlags));
  if (!here.open()) return std::unexpected(errno);
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    auto next = OpenStep(here.get(), std::string(path.substr(0, slash)), missing);
    if (!next) return next;
    here = *std::move(next);
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return here;
}

auto DirectoryTree::OpenDirectory(std::string_view path, Missing missing) const
    -> Outcome<FileDescriptor> {
  return WhilePruned(directory_.get(), missing, [&] { return Walk(path, missing); });
}

auto DirectoryTree::Locate(std::string_view path, Missing missing) const -> Outcome<Place> {
  const auto [directory, name] = SplitLast(path);
  auto opened = OpenDirectory(directory, missing);
  if (!opened) return std::unexpected(opened.error());
  return Place{*std::move(opened), std::string(name)};
}

auto DirectoryTree::OpenFile(std::string_view path, int flags) const -> Outcome<FileDescriptor> {
  auto place = Locate(path, Missing::kFail);
  if (!place) return std::unexpected(place.error());
  FileDescriptor file(openat(place->directory.get(), place->name.c_str(),
                             flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.open()) return std::unexpected(errno == EISDIR || errno == ENXIO ? ENOENT : errno);
  struct stat status;
  if (fstat(file.get(), &status) != 0) return std::unexpected(errno);
  if (!S_ISREG(status.st_mode)) return std::unexpected(ENOENT);
  return file;
}

auto DirectoryTree::CreateFile(std::string_view path, Missing missing) const
    -> Outcome<FileDescriptor> {
  const auto [directory, name] = SplitLast(path);
  return WhilePruned(directory_.get(), missing, [&]() -> Outcome<FileDescriptor> {
    const auto opened = Walk(directory, missing);
    if (!opened) return std::unexpected(opened.error());
    FileDescriptor file(openat(opened->get(), std::string(name).c_str(),
                               O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
    if (!file.open()) return std::unexpected(errno);
    return file;
  });
}

auto DirectoryTree::Status(std::string_view path) const -> Outcome<struct stat> {
  auto place = Locate(path, Missing::kFail);
  if (!place) return std::unexpected(place.error());
  struct stat status;
  if (fstatat(place->directory.get(), place->name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return std::unexpected(errno);
  }
  if (S_ISLNK(status.st_mode)) return std::unexpected(ELOOP);
  return status;
}

void DirectoryTree::Prune(std::string_view path) const {
  for (path = SplitLast(path).first; !path.empty(); path = SplitLast(path).first) {
    auto place = Locate(path, Missing::kFail);
    if (!place) continue;
    if (unlinkat(place->directory.get(), place->name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
      return;
  }
}

}  // namespace spillway::storage
