#pragma once

#include <cstdint>
#include <memory>

#include <arrow/type_fwd.h>

namespace spillway::bench {

/// Messages like those of the benchmark's lake, from a seed: message_id (36 bytes), ts (us, UTC,
/// sorted), sender, recipient, channel and status (dictionaries), price (decimal(10, 4)), body (20
/// to 200 bytes; 3 % need quoting, 5 % are not ASCII).
std::shared_ptr<arrow::RecordBatch> MakeMessageBatch(int64_t rows, uint64_t seed);

}  // namespace spillway::bench
