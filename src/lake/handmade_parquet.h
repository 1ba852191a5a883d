#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace spillway::lake {

/// Which odd but valid forms a handmade file may have.
struct OddForms {
  bool runs_of_no_length = false;  ///< Runs of length 0. DuckDB reads them, Arrow does not.
  bool empty_pages = false;        ///< Data pages without values. DuckDB reads them, Arrow does
                                   ///< not.
  bool bit_packed_levels = false;  ///< Only where all levels are equal.
};

/// One row group of (id: optional text, at: times in µs), with pages whose encodings, versions,
/// lengths and runs are drawn: PLAIN and dictionary, one after the other too, and runs
/// and packed groups of any length. For tests.
std::string HandmadeParquet(const std::vector<std::optional<std::string>>& ids,
                            const std::vector<int64_t>& times, const OddForms& forms,
                            std::mt19937_64& random);

}  // namespace spillway::lake
