#pragma once

#include <span>

#include "base/error.h"
#include "lake/lake.h"
#include "storage/object_store.h"

namespace spillway::lake {

/// Looks once more, right before a commit, whether what it adds is still there: to Vacuum, the
/// files of a writer that works for long look like those of one that died. kConflict names the
/// first that is gone.
Result<> CheckPresent(storage::ObjectStore& lake, std::span<const DataFile> files);

}  // namespace spillway::lake
