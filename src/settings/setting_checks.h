#pragma once

#include <filesystem>
#include <string>

#include "config/section.h"

namespace spillway {

/// What is wrong with the value of a setting; for Section's Check.
config::Complaint CheckNotEmpty(const std::string& name);
config::Complaint CheckTimeZone(const std::string& name);
/// A directory, or s3://bucket/prefix.
config::Complaint CheckPlace(const std::filesystem::path& place);

}  // namespace spillway
