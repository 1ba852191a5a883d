#include "lake/lake_settings.h"

#include <set>
#include <utility>

#include <arrow/api.h>
#include <fmt/format.h>

#include "batch/column_type.h"
#include "config/checks.h"
#include "storage/place.h"

namespace spillway::lake {
namespace {

using config::Complaint;
using config::Complaints;
using config::Section;

Complaint CheckColumnType(const std::string& type) {
  const auto parsed = batch::ParseColumnType(type);
  if (parsed.has_value()) return std::nullopt;
  return "has an " + parsed.error().message;
}

void CheckLakeColumns(const LakeSettings& lake, Complaints& complaints) {
  std::set<std::string> names;
  const ColumnSettings* time = nullptr;
  for (size_t i = 0; i < lake.columns.size(); ++i) {
    const ColumnSettings& column = lake.columns[i];
    const std::string field = fmt::format("columns[{}].name", i);
    if (!names.insert(column.name).second) {
      complaints.About(field, fmt::format("is {} once more; name each column once",
                                          config::Quoted(column.name)));
    }
    if (column.name == lake.organisation) {
      complaints.About(field,
                       "is the organisation, which is no column but the partition; remove it");
    }
    if (column.name == lake.time && time == nullptr) time = &column;
  }
  if (time == nullptr) {
    complaints.About("time",
                     fmt::format("is {}, which is no column; name one of the columns of type "
                                 "timestamp",
                                 config::Quoted(lake.time)),
                     {"columns"});
  } else if (time->type != "timestamp") {
    complaints.About("time",
                     fmt::format("is {}, a column of type {}; name one of type timestamp",
                                 config::Quoted(lake.time), time->type),
                     {"columns"});
  }
}

}  // namespace

config::Section<LakeSettings> DeclareLake() {
  Section<ColumnSettings> column;
  column.Field("name", &ColumnSettings::name)
      .Help("The field in the messages, and the column in the lake.")
      .Required()
      .OneLine()
      .Check(config::CheckNotEmpty);
  column.Field("type", &ColumnSettings::type)
      .Help("string, timestamp, int64, double, bool, date or decimal(precision,scale).")
      .Required()
      .Check(CheckColumnType);

  Section<LakeSettings> section;
  section.Field("directory", &LakeSettings::directory)
      .Help("The directory that holds the messages as Parquet files, or s3://bucket/prefix.")
      .Essential()
      .Check(storage::CheckPlace);
  section.Field("organisation", &LakeSettings::organisation)
      .Help("The field of a message that says which organisation it belongs to.")
      .Essential()
      .OneLine()
      .Check(config::CheckNotEmpty);
  section.Field("time", &LakeSettings::time)
      .Help("The column that says when a message was; of type timestamp.")
      .Essential();
  section.Field("columns", &LakeSettings::columns, std::move(column))
      .Help(
          "What a message has besides its organisation. Columns of a lake that holds messages stay "
          "as "
          "they are.")
      .Essential();
  section.Field("unknown_fields", &LakeSettings::unknown_fields)
      .Help("What ingest does with a message that has a field which is no column.")
      .OneOf({{"reject", UnknownFields::kReject}, {"ignore", UnknownFields::kIgnore}});
  section.Field("line_bytes_max", &LakeSettings::line_bytes_max)
      .Help("Longer lines are rejected by ingest.")
      .Between({1 << 10}, {kLineBytesLimit});
  section.Field("ingest_memory", &LakeSettings::ingest_memory)
      .Help("What ingest may hold in memory before it writes a file.")
      .AtLeast({16 << 20});
  section.Rule(CheckLakeColumns);
  return section;
}

Result<LakeSchema> SchemaOf(const LakeSettings& settings) {
  arrow::FieldVector fields;
  for (const ColumnSettings& column : settings.columns) {
    const bool nullable = column.name != settings.time;
    fields.push_back(arrow::field(column.name, TRY(batch::ParseColumnType(column.type)), nullable));
  }
  return LakeSchema{.columns = arrow::schema(std::move(fields)),
                    .organisation_field = settings.organisation,
                    .time_column = settings.time};
}

}  // namespace spillway::lake
