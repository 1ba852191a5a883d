#pragma once

#include <filesystem>

#include "config/shape.h"

namespace spillway::storage {

/// What is wrong with a place for objects: a directory, or s3://bucket/prefix. For a setting's
/// Check.
config::Complaint CheckPlace(const std::filesystem::path& place);

}  // namespace spillway::storage
