#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace spillway::recipe::open_data {

/// What is exported and logged: a location's day, in its own time zone.
struct LocationDay {
  int64_t location = 0;
  std::string day;  ///< 2024-01-31; 0044-03-15 BC, which has no file

  auto operator<=>(const LocationDay&) const = default;

  /// "location 12, 2024-01-31", as errors name it.
  std::string name() const { return "location " + std::to_string(location) + ", " + day; }
  /// "12/2024-01-31", as manifests count it.
  std::string item() const { return std::to_string(location) + "/" + day; }
};

/// A file of a day that is in its place.
struct DayFile {
  std::string key;
  int64_t rows = 0;
  uint64_t bytes = 0;
  std::string sha256;
};

}  // namespace spillway::recipe::open_data
