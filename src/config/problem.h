#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace spillway::config {

/// Where a value stands: in a file (line and column count from 1, columns in characters), or in an
/// environment variable or flag of that name (line 0).
struct Position {
  std::string source;
  int line = 0;
  int column = 0;

  bool operator==(const Position&) const = default;
};

/// One thing that is wrong with a configuration: what, where and what to do, without any secret.
struct Problem {
  Position position;
  std::string message;

  bool operator==(const Problem&) const = default;
};

/// Everything that is wrong, sorted by position.
using Problems = std::vector<Problem>;

/// One line: "spillway.yaml:3:5: message" or "SPILLWAY_ENGINE_THREADS: message".
std::string ToString(const Problem& problem);

/// `text` in double quotes, on one line, at most 60 bytes of it.
std::string Quoted(std::string_view text);

}  // namespace spillway::config
