#pragma once

#include <span>
#include <vector>

#include "storage/local/directory_tree.h"
#include "storage/object_store.h"

namespace spillway::storage {

/// ObjectStore::PutMany for a directory: the files of a group are written beside their places, made
/// durable by one syncfs(2), moved into place, and their names made durable by a second one. For
/// hundreds of files, two syncs of the file system cost a fraction of three syncs of each file,
/// although they also wait for what others write there.
std::vector<Result<ObjectInfo>> PutManyFiles(const DirectoryTree& tree,
                                             std::span<const NewObject> objects);

}  // namespace spillway::storage
