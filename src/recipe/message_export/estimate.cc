#include "recipe/message_export/estimate.h"

#include <algorithm>

#include <arrow/api.h>

#include "base/buffer.h"

namespace spillway::recipe {
namespace {

constexpr size_t kUnitsMax = 16;
constexpr int64_t kRowsOfUnitMax = 1'024;
/// Long rows need fewer of them.
constexpr uint64_t kBytesOfUnitMax = 1 << 20;

/// Rows, and what they came to.
struct Sample {
  int64_t rows = 0;
  uint64_t bytes = 0;
};

}  // namespace

Result<uint64_t> EstimateCsvBytes(storage::ObjectStore& store, const lake::LakeSchema& schema,
                                  const lake::ReadPlan& plan, const lake::Projection& projection,
                                  const format::CsvOptions& csv, const std::stop_token& stop) {
  const auto projected = TRY(lake::ProjectedSchema(schema, projection));
  const auto rows_as_csv = TRY(format::NewCsvFormat(csv));
  Sample sample;
  const size_t units = std::min(plan.units.size(), kUnitsMax);
  for (size_t i = 0; i < units; ++i) {
    lake::ReadUnit unit = plan.units[i * plan.units.size() / units];
    unit.rows = std::min(unit.rows, kRowsOfUnitMax);
    const auto encoder = TRY(rows_as_csv->NewEncoder(*projected, {.first = false, .last = false}));
    uint64_t bytes = 0;
    const auto take = [&](const arrow::RecordBatch& batch) -> Result<> {
      Buffer encoded;
      TRY(encoder->Append(batch, encoded));
      sample.rows += batch.num_rows();
      bytes += encoded.size();
      if (bytes < kBytesOfUnitMax) return {};
      return Fail(ErrorCode::kCancelled, "that is enough of this unit");
    };
    const auto scanned = lake::Scan(store, schema, unit, projection, stop, take);
    if (!scanned && bytes < kBytesOfUnitMax) return std::unexpected(scanned.error());
    sample.bytes += bytes;
  }
  if (sample.rows == 0) return uint64_t{0};
  const double of_row = static_cast<double>(sample.bytes) / static_cast<double>(sample.rows);
  return static_cast<uint64_t>(of_row * static_cast<double>(plan.rows));
}

}  // namespace spillway::recipe
