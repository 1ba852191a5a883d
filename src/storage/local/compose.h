#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/error.h"
#include "storage/local/directory_tree.h"
#include "storage/local/open_stages.h"
#include "storage/object_store.h"

namespace spillway::storage {

/// Bytes of all ranges together.
uint64_t TotalBytes(std::span<const ObjectRange> ranges);

/// The one range that the ranges make, when they lie one after the other from the start of one
/// stage.
std::optional<ObjectRange> WholeStage(std::span<const ObjectRange> ranges);

/// Publishes the stage's first bytes by moving its file. False when another living process has the
/// stage open, or when it is not there.
Result<bool> PublishByMove(const DirectoryTree& tree, OpenStages& open_stages,
                           const ObjectRange& whole, std::string_view key);

/// Publishes a copy of the ranges. kNotFound when a source is missing, kCorrupt when one is too
/// short.
Result<> PublishByCopy(const DirectoryTree& tree, std::span<const ObjectRange> ranges,
                       std::string_view key);

}  // namespace spillway::storage
