#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace spillway::storage {

/// A bucket, and what the keys in it begin with (no `/` at its end; empty for the whole bucket).
struct S3Url {
  std::string bucket;
  std::string prefix;
};

/// Whether a place is named by a URL, and so is no directory.
bool IsUrl(std::string_view place);

/// Of "s3://bucket/prefix". kInvalidArgument says what is wrong with it, going on from its name
/// ("names …; use …").
Result<S3Url> ParseS3Url(std::string_view url);

}  // namespace spillway::storage
