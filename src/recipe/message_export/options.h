#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "format/format.h"
#include "source/lake/lake.h"
#include "source/lake/scan.h"

namespace spillway::recipe {

enum class FileFormat { kCsv, kJson, kNdjson, kParquet };
enum class Compression { kNone, kGzip, kZstd, kZip };
enum class OnLimit { kSplit, kFail, kTruncate };

/// E8. Zero: no limit.
struct Limits {
  int64_t rows_per_file = 0;
  uint64_t bytes_per_file = 0;  ///< Before compression.
  int64_t columns_max = 0;
  OnLimit on_limit = OnLimit::kSplit;
  bool operator==(const Limits&) const = default;
};

/// What the files of a message export look like. An export's configuration gives the defaults; a
/// request may change each.
struct OutputOptions {
  FileFormat format = FileFormat::kCsv;
  Compression compression = Compression::kNone;
  int compression_level = 1;
  std::vector<lake::Projection::Column> columns;  ///< Empty: all of the lake's.
  std::string time_zone = "UTC";
  format::CsvOptions csv;
  Limits limits;
  std::string destination;  ///< A directory, or "-" for standard output.
};

/// A message export's canonical parameters.
struct MessageExportParameters {
  std::string organisation;
  lake::TimeRange range;
  OutputOptions output;
};

/// JSON with sorted keys and every field there.
std::string ToJson(const MessageExportParameters& parameters);

/// Reads a request's JSON object over `defaults`: {"organisation", "from", "to" (RFC 3339,
/// half-open), "format", "compression", "columns": ["a", {"source", "name"}], "time_zone", "csv":
/// {…}, "limits": {…}, "destination"}. kInvalidArgument names an unknown or wrong field.
Result<MessageExportParameters> ParametersFromJson(std::string_view json,
                                                   const OutputOptions& defaults);

std::string_view Name(FileFormat format);
std::string_view Name(Compression compression);
std::string_view Name(OnLimit on_limit);
Result<FileFormat> FileFormatFromName(std::string_view name);
Result<Compression> CompressionFromName(std::string_view name);
Result<OnLimit> OnLimitFromName(std::string_view name);

}  // namespace spillway::recipe
