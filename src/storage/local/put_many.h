#pragma once

#include <span>
#include <vector>

#include "storage/local/directory_tree.h"
#include "storage/object_store.h"

namespace spillway::storage {

/// ObjectStore::PutMany for a directory: the files of a group are written beside their places, made
/// durable by one syncfs(2), moved into place, and their names made durable by a second one. Two
/// flushes of the file system for hundreds of files cost a fraction of three of their own for each;
/// they wait for what others write there, too.
std::vector<Result<ObjectInfo>> PutManyFiles(const DirectoryTree& tree,
                                             std::span<const NewObject> objects);

}  // namespace spillway::storage
