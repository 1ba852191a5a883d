#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "storage/local/directory_tree.h"
#include "storage/object_store.h"

namespace spillway::storage {

Timestamp ModifiedOf(const struct stat& status);

/// The names of the regular files in a directory, and of its directories with a `/` at the end, in
/// byte order; that is the order of their keys. Names that could not be part of a key are left out.
DirectoryTree::Outcome<std::vector<std::string>> ReadEntries(int directory);

/// ObjectStore::List over a tree, one directory in memory at a time and its parents.
Result<std::vector<ObjectInfo>> ListTree(const DirectoryTree& tree, std::string_view prefix,
                                         std::string_view start_after, size_t limit);

}  // namespace spillway::storage
