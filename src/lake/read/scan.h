#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/error.h"
#include "lake/lake.h"
#include "lake/read/read_plan.h"
#include "storage/object_store.h"

namespace spillway::lake {

/// Which columns a reader hands out, in which order, under which names.
struct Projection {
  struct Column {
    std::string source;
    std::string name;
  };
  std::vector<Column> columns;
};

/// The schema of what Scan hands out. kInvalidArgument names an unknown column and the nearest
/// known.
Result<std::shared_ptr<arrow::Schema>> ProjectedSchema(const LakeSchema& schema,
                                                       const Projection& projection);

/// Reads a unit in order and returns how many bytes it asked of the store. Hands out batches of at
/// most 16,384 rows (of long rows fewer: about 32 MiB, 64 where slices overlap) until done, `stop`
/// (kCancelled), or an error of `consume`. A batch is of ProjectedSchema.
///
/// kCorrupt names the file that is cut short, changed, of another schema, or has other rows than
/// its slice says; or says that the range holds fewer rows than the unit. kUnsupported names the
/// file whose form cannot be read. Memory: a row group of compressed pages and a batch, for each
/// slice that overlaps.
Result<uint64_t> Scan(storage::ObjectStore& store, const LakeSchema& schema, const ReadUnit& unit,
                      const Projection& projection, std::stop_token stop,
                      const std::function<Result<>(const arrow::RecordBatch&)>& consume);

}  // namespace spillway::lake
