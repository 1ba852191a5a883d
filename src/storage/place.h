#pragma once

#include <filesystem>

#include "config/shape.h"

namespace spillway::storage {

/// What is wrong with a place for objects: a directory, or s3://bucket/prefix. For a setting's
/// Check.
config::Complaint CheckPlace(const std::filesystem::path& place);

/// Whether `inner` is `outer`, or lies in it. Directories are compared with symbolic links followed,
/// as far as they are there; prefixes of buckets by their names.
bool LiesIn(const std::filesystem::path& inner, const std::filesystem::path& outer);

/// Whether a place lies in a folder that a store keeps for itself: what jobs have staged.
bool LiesInPrivateFolder(const std::filesystem::path& place);

}  // namespace spillway::storage
