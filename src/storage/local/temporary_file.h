#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "storage/key.h"
#include "storage/local/append_file.h"
#include "storage/local/directory_tree.h"
#include "storage/object_store.h"

namespace spillway::storage {

/// Who makes a published file survive a loss of power: Publish itself, or its caller for many files
/// together.
enum class Durably { kNow, kLater };

/// A file that will be published under its final name; without Publish the destructor removes it.
/// It is locked (flock) while this object exists, so that SweepAbandonedFiles can tell which files
/// killed processes left.
class TemporaryFile {
 public:
  static Result<TemporaryFile> Create(const DirectoryTree& tree, std::string_view final_key);

  TemporaryFile(TemporaryFile&&) noexcept = default;
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile();

  /// Its errors name the final key.
  AppendFile& file() { return file_; }

  /// Puts the bytes under `key`, atomically, and makes bytes and name durable, unless the caller
  /// has made the bytes durable and will do so for the name.
  Result<ObjectInfo> Publish(std::string_view key, Overwrite overwrite,
                             Durably durably = Durably::kNow);

 private:
  TemporaryFile(const DirectoryTree& tree, std::string path, AppendFile file)
      : tree_(&tree), path_(std::move(path)), file_(std::move(file)) {}

  const DirectoryTree* tree_;
  std::string path_;
  AppendFile file_;
};

/// Moves `from` to `key`; ENOENT when `from` is gone, EEXIST for a taken key.
DirectoryTree::Outcome<void> Move(const DirectoryTree& tree, std::string_view from,
                                  std::string_view key, Overwrite overwrite, Durably durably);

/// Removes temporary files whose owners died, or only counts them; returns how many. What cannot
/// be removed stays for the next time.
size_t SweepAbandonedFiles(const DirectoryTree& tree, bool remove);

}  // namespace spillway::storage
