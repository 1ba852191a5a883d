#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "format/format.h"
#include "recipe/output/object_reader.h"
#include "request/form.h"

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

/// A column of an export: one of the source's, under a name of its own.
struct OutputColumn {
  std::string source;
  std::string name;
};

/// The fastest, which every compression has.
inline constexpr int kDefaultLevel = 1;
constexpr bool CompressesInside(FileFormat format) { return format == FileFormat::kParquet; }
/// Whether a level means anything to such files.
constexpr bool HasLevel(FileFormat format, Compression compression) {
  return CompressesInside(format) || compression != Compression::kNone;
}
constexpr int LevelMax(FileFormat format, Compression compression) {
  const bool zstd = compression == Compression::kZstd ||
                    (compression == Compression::kNone && CompressesInside(format));
  return zstd ? 19 : 9;
}

/// What the files of an export look like. An export's configuration gives the defaults; a
/// request may change each.
struct OutputOptions {
  FileFormat format = FileFormat::kCsv;
  Compression compression = Compression::kNone;
  int compression_level = kDefaultLevel;
  std::vector<OutputColumn> columns;  ///< Empty: all of the source's.
  std::string time_zone = "UTC";
  format::CsvOptions csv;
  Limits limits;
  std::string destination;  ///< A directory, or "-" for standard output.
};

/// The fields of a request that say what its files look like, every one there.
nlohmann::json ToJson(const OutputOptions& output);

/// Reads them over the defaults that `output` holds; the default level goes with the default
/// compression only. "format", "compression", "compression_level",
/// "columns": ["a", {"source", "name"}], "time_zone", "csv": {…}, "limits": {…}, "destination".
/// kInvalidArgument names a wrong field.
Result<> ReadOutput(ObjectReader& reader, OutputOptions& output);

/// Options that do not go together, and what `request`, from whose JSON they were read, asks for in
/// vain: options of CSV for another format, a level where nothing is compressed, on_limit without a
/// limit. Fields are named as OutputFields names them.
request::Problems ProblemsOf(const OutputOptions& output, std::string_view request);

/// kInvalidArgument for the first of ProblemsOf.
Result<> CheckOutput(const OutputOptions& output, std::string_view request);

/// kInvalidArgument for more columns than limits.columns_max allows.
Result<> CheckColumns(const Limits& limits, int64_t columns);

std::string_view Name(FileFormat format);
std::string_view Name(Compression compression);
std::string_view Name(OnLimit on_limit);
Result<FileFormat> FileFormatFromName(std::string_view name);
Result<Compression> CompressionFromName(std::string_view name);
Result<OnLimit> OnLimitFromName(std::string_view name);

}  // namespace spillway::recipe
