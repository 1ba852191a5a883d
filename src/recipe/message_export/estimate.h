#pragma once

#include <cstdint>
#include <stop_token>

#include "base/error.h"
#include "format/format.h"
#include "lake/lake.h"
#include "lake/read/read_plan.h"
#include "lake/read/scan.h"
#include "storage/object_store.h"

namespace spillway::recipe {

/// The bytes that the rows of a plan come to as CSV, judged by some rows of at most 16 of its units,
/// which are read and encoded. How well Parquet compresses them does not matter. Errors as Scan's.
Result<uint64_t> EstimateCsvBytes(storage::ObjectStore& store, const lake::LakeSchema& schema,
                                  const lake::ReadPlan& plan, const lake::Projection& projection,
                                  const format::CsvOptions& csv, const std::stop_token& stop);

}  // namespace spillway::recipe
