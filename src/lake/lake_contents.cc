#include "lake/lake_contents.h"

#include <set>

#include <arrow/api.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lake/read/read_plan.h"
#include "lake/read/scan.h"

namespace spillway::lake {
namespace {

std::string Cell(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return "-";
  switch (array.type_id()) {
    case arrow::Type::TIMESTAMP:
      return std::to_string(static_cast<const arrow::TimestampArray&>(array).Value(row));
    case arrow::Type::STRING:
      return static_cast<const arrow::StringArray&>(array).GetString(row);
    case arrow::Type::DECIMAL128:
      return static_cast<const arrow::Decimal128Array&>(array).FormatValue(row);
    case arrow::Type::DOUBLE:
      return fmt::format("{}", static_cast<const arrow::DoubleArray&>(array).Value(row));
    case arrow::Type::INT64:
      return std::to_string(static_cast<const arrow::Int64Array&>(array).Value(row));
    case arrow::Type::DATE32:
      return std::to_string(static_cast<const arrow::Date32Array&>(array).Value(row));
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(array).Value(row) ? "true" : "false";
    default:
      ADD_FAILURE() << array.type()->ToString();
      return "?";
  }
}

}  // namespace

LakeSchema MessageSchema() {
  return {.columns = arrow::schema({
              arrow::field("id", arrow::utf8()),
              arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
              arrow::field("text", arrow::utf8()),
              arrow::field("count", arrow::int64()),
              arrow::field("ratio", arrow::float64()),
              arrow::field("price", arrow::decimal128(10, 4)),
              arrow::field("open", arrow::boolean()),
          }),
          .organisation_field = "organisation",
          .time_column = "at"};
}

std::vector<std::string> Contents(storage::ObjectStore& store, const CommitLog& log,
                                  const LakeSchema& schema, std::string_view organisation) {
  std::vector<std::string> rows;
  const auto snapshot = log.Read(organisation);
  if (!snapshot) {
    EXPECT_EQ(snapshot.error().code, ErrorCode::kNotFound) << snapshot.error().message;
    return rows;
  }
  Projection projection;
  for (const auto& field : schema.columns->fields()) {
    projection.columns.push_back({field->name(), field->name()});
  }
  TimeRange all{.begin = snapshot->files.front().min_time(), .end = {}};
  for (const DataFile& file : snapshot->files) {
    all.end = std::max(all.end, file.max_time() + std::chrono::microseconds(1));
    all.begin = std::min(all.begin, file.min_time());
  }
  const auto plan = PlanRead(store, schema, *snapshot, all, {}, {});
  if (!plan) {
    ADD_FAILURE() << plan.error().message;
    return rows;
  }
  for (const ReadUnit& unit : plan->units) {
    const auto scanned =
        Scan(store, schema, unit, projection, {}, [&](const arrow::RecordBatch& batch) -> Result<> {
          for (int64_t row = 0; row < batch.num_rows(); ++row) {
            std::string line;
            for (const auto& column : batch.columns()) {
              if (!line.empty()) line += '|';
              line += Cell(*column, row);
            }
            rows.push_back(std::move(line));
          }
          return {};
        });
    EXPECT_TRUE(scanned) << scanned.error().message;
  }
  return rows;
}

std::vector<std::string> Contents(storage::ObjectStore& store, const CommitLog& log,
                                  const LakeSchema& schema) {
  std::vector<std::string> rows;
  const auto organisations = log.Organisations();
  for (const std::string& organisation : *organisations) {
    for (const std::string& row : Contents(store, log, schema, organisation)) {
      rows.push_back(organisation + "|" + row);
    }
  }
  return rows;
}

std::vector<std::string> Debris(storage::ObjectStore& store, const CommitLog& log) {
  std::set<std::string> named;
  EXPECT_TRUE(log.History([&](int64_t, const Commit& commit) -> Result<> {
    for (const DataFile& file : commit.added) named.insert(file.key);
    return {};
  }));
  std::vector<std::string> debris;
  const auto objects = store.List("org=", "", 1'000'000);
  for (const storage::ObjectInfo& object : *objects) {
    if (!named.contains(object.key)) debris.push_back(object.key);
  }
  return debris;
}

}  // namespace spillway::lake
