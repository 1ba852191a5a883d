#pragma once

#include <span>

#include "base/error.h"
#include "lake/lake.h"
#include "storage/object_store.h"

namespace spillway::lake {

/// Checks right before a commit that the files which it adds are still there. Vacuum cannot tell
/// the files of a writer that works for long from those of one that died. kConflict names the first
/// file that is gone.
Result<> CheckPresent(storage::ObjectStore& lake, std::span<const DataFile> files);

}  // namespace spillway::lake
