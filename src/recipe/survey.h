#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace spillway::recipe {

/// What an export would read, found without running it.
struct Survey {
  /// How much of one kind of thing is read, and how much is known to be of no use.
  struct Reading {
    std::string what;  ///< "row groups".
    int64_t read = 0;
    int64_t skipped = 0;
    bool in_bytes = false;
  };

  std::string of;  ///< "acme, lake version 12".
  std::vector<Reading> readings;
  int64_t planned = 0;  ///< In the recipe's unit of counting.
  std::string how =
      "exactly";  ///< How sure `planned` is, printed after it: "exactly", "pending now".
  int64_t chunks = 0;
  std::optional<uint64_t> output_bytes;  ///< Estimated, as CSV.
  std::vector<std::string> notes;        ///< Sentences on what is special.
  std::vector<std::string> columns;      ///< "price numeric(10,4)".
  std::string json;                      ///< The same for programs: one object.
};

}  // namespace spillway::recipe
