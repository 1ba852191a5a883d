#pragma once

#include <filesystem>
#include <string>

#include "config/section.h"
#include "settings/state_address.h"

namespace spillway {

/// What is wrong with the value of a setting; for Section's Check.
config::Complaint CheckNotEmpty(const std::string& name);
config::Complaint CheckTimeZone(const std::string& name);
/// A file, or a PostgreSQL database by its URL. Says nothing of what is in it: it may be a mistyped
/// URL with a password.
config::Complaint CheckState(const StateAddress& state);
/// A directory, or s3://bucket/prefix.
config::Complaint CheckPlace(const std::filesystem::path& place);

}  // namespace spillway
