#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/scalar.h"
#include "config/section.h"
#include "lake/ingest/ndjson_row_parser.h"
#include "lake/lake.h"

namespace spillway::lake {

/// A column of the lake. The type is a text of batch::ParseColumnType.
struct ColumnSettings {
  std::string name;
  std::string type;
  bool operator==(const ColumnSettings&) const = default;
};

struct LakeSettings {
  std::filesystem::path directory = "lake";  ///< Or s3://bucket/prefix.
  std::string organisation = "organisation";
  std::string time = "ts";
  std::vector<ColumnSettings> columns = {{"message_id", "string"},   {"ts", "timestamp"},
                                         {"sender", "string"},       {"recipient", "string"},
                                         {"channel", "string"},      {"status", "string"},
                                         {"price", "decimal(10,4)"}, {"body", "string"}};
  UnknownFields unknown_fields = UnknownFields::kReject;
  config::ByteSize line_bytes_max{1 << 20};
  config::ByteSize ingest_memory{512 << 20};
  bool operator==(const LakeSettings&) const = default;
};

config::Section<LakeSettings> DeclareLake();

/// What the settings say of the columns.
Result<LakeSchema> SchemaOf(const LakeSettings& settings);

}  // namespace spillway::lake
