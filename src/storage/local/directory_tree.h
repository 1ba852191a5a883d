#pragma once

#include <sys/stat.h>

#include <expected>
#include <string>
#include <string_view>

#include "base/error.h"
#include "storage/local/file_descriptor.h"

namespace spillway::storage {

/// What to do about a directory that is not there.
enum class Missing {
  kFail,
  kCreate,         ///< Make it.
  kCreateDurable,  ///< Make it, and let it survive a loss of power.
};

/// The last directory of a path, and the name inside it.
struct Place {
  FileDescriptor directory;
  std::string name;
};

/// A directory and everything below it. Paths are valid keys, walked segment by segment without
/// following symbolic links, so none leads outside; the root itself may be a link. Errors are
/// numbers of errno (ELOOP where a link stands in the way), for the caller to word. Thread-safe.
class DirectoryTree {
 public:
  template <class T>
  using Outcome = std::expected<T, int>;

  /// `create`: makes the root, and what is missing above it.
  static Result<DirectoryTree> Open(const std::string& root, bool create);

  /// As ObjectStore::CheckInPlace: whether the root's path names this directory still.
  Result<> CheckInPlace() const;

  /// The path as people see it, for messages.
  std::string Show(std::string_view path) const { return root_ + "/" + std::string(path); }

  /// The directory itself; "" is the root.
  Outcome<FileDescriptor> OpenDirectory(std::string_view path, Missing missing) const;

  /// The directory that holds `path`.
  Outcome<Place> Locate(std::string_view path, Missing missing) const;

  /// Opens a file with open(2)'s flags; ENOENT for anything that is not a regular file.
  Outcome<FileDescriptor> OpenFile(std::string_view path, int flags) const;

  /// Makes a file that was not there (EEXIST), with its directories.
  Outcome<FileDescriptor> CreateFile(std::string_view path, Missing missing) const;

  /// What is at `path`; ENOENT when there is nothing.
  Outcome<struct stat> Status(std::string_view path) const;

  /// Removes the directories above `path` that are empty, never the root. Others may be creating
  /// files there meanwhile: they get ENOENT and walk the path again.
  void Prune(std::string_view path) const;

 private:
  DirectoryTree(std::string root, FileDescriptor directory, bool mounted)
      : root_(std::move(root)), directory_(std::move(directory)), mounted_(mounted) {}

  Outcome<FileDescriptor> Walk(std::string_view path, Missing missing) const;

  std::string root_;
  FileDescriptor directory_;
  bool mounted_;  ///< Whether it was the root of a mounted file system when it was opened.
};

/// How often a creation starts over when the directory it was to stand in was pruned meanwhile.
inline constexpr int kPruneRetries = 1000;

}  // namespace spillway::storage
