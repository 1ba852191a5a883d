#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/error.h"

namespace spillway::storage {

/// Links to the objects of a store. Thread-safe.
class Links {
 public:
  virtual ~Links() = default;

  /// A link that downloads the object as a file of this name, without credentials, until `lifetime`
  /// (at most 7 days) or that of the credentials it was made with is over.
  virtual Result<std::string> Link(std::string_view key, std::chrono::seconds lifetime,
                                   const std::string& file_name) = 0;
};

}  // namespace spillway::storage
