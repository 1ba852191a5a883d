#include "lake/read/scan.h"

#include <algorithm>
#include <utility>

#include <arrow/api.h>
#include <fmt/format.h>

#include "base/nearest_name.h"
#include "lake/compaction/merge.h"

namespace spillway::lake {
namespace {

/// Where each projected column stands among those that are read.
struct Wanted {
  std::shared_ptr<arrow::Schema> read;  ///< Each source once, and the time.
  int time_index = 0;
  std::vector<int> from;  ///< By projected column.
};

Wanted WhatToRead(const LakeSchema& schema, const Projection& projection) {
  Wanted wanted;
  std::vector<std::string> names;
  const auto index_of = [&](const std::string& name) {
    const auto found = std::ranges::find(names, name);
    const int index = static_cast<int>(found - names.begin());
    if (found == names.end()) names.push_back(name);
    return index;
  };
  for (const auto& column : projection.columns) wanted.from.push_back(index_of(column.source));
  wanted.time_index = index_of(schema.time_column);
  arrow::FieldVector fields;
  for (const auto& name : names) fields.push_back(schema.columns->GetFieldByName(name));
  wanted.read = arrow::schema(std::move(fields));
  return wanted;
}

/// The batch with the projected columns under their names.
std::shared_ptr<arrow::RecordBatch> Project(const arrow::RecordBatch& batch, const Wanted& wanted,
                                            const std::shared_ptr<arrow::Schema>& projected) {
  arrow::ArrayVector columns;
  for (const int from : wanted.from) columns.push_back(batch.column(from));
  return arrow::RecordBatch::Make(projected, batch.num_rows(), std::move(columns));
}

std::string FilesOf(const ReadUnit& unit) {
  std::string files = unit.slices.empty() ? "no file" : unit.slices.front().key;
  if (unit.slices.size() > 1) files += fmt::format(" and {} more", unit.slices.size() - 1);
  return files;
}

}  // namespace

Result<std::shared_ptr<arrow::Schema>> ProjectedSchema(const LakeSchema& schema,
                                                       const Projection& projection) {
  arrow::FieldVector fields;
  for (const auto& column : projection.columns) {
    const auto field = schema.columns->GetFieldByName(column.source);
    if (field == nullptr) {
      const auto names = schema.columns->field_names();
      const auto nearest = NearestName(column.source, names);
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("there is no column \"{}\" in the lake; {}", column.source,
                              nearest ? fmt::format("did you mean \"{}\"?", *nearest)
                                      : fmt::format("it has {}", fmt::join(names, ", "))));
    }
    fields.push_back(field->WithName(column.name));
  }
  return arrow::schema(std::move(fields));
}

Result<uint64_t> Scan(storage::ObjectStore& store, const LakeSchema& schema, const ReadUnit& unit,
                      const Projection& projection, std::stop_token stop,
                      const std::function<Result<>(const arrow::RecordBatch&)>& consume) {
  const auto projected = TRY(ProjectedSchema(schema, projection));
  const Wanted wanted = WhatToRead(schema, projection);
  Merge merge(store, unit, wanted.read, wanted.time_index, *arrow::default_memory_pool(), stop);
  int64_t left = unit.rows;
  while (left > 0) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "reading the lake was stopped");
    auto batch = TRY(merge.Next());
    if (batch == nullptr) {
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("lake file {}: {} rows of the plan's {} are not there; the lake "
                              "changed under the plan, start the export again",
                              FilesOf(unit), left, unit.rows));
    }
    const int64_t rows = std::min(left, batch->num_rows());
    if (rows < batch->num_rows()) batch = batch->Slice(0, rows);
    TRY(consume(*Project(*batch, wanted, projected)));
    left -= rows;
  }
  return merge.bytes_read();
}

}  // namespace spillway::lake
