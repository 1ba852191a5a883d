#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/scalar.h"
#include "config/section.h"
#include "format/format.h"
#include "recipe/output/output_options.h"
#include "request/form.h"

namespace spillway::recipe {

/// A column of an export: one of the lake's, under the same name unless another is given.
struct ExportColumnSettings {
  std::string source;
  std::optional<std::string> name;
  bool operator==(const ExportColumnSettings&) const = default;
};

enum class CsvProfile { kRfc4180, kExcel };

/// What is absent is as the profile says.
struct CsvSettings {
  CsvProfile profile = CsvProfile::kRfc4180;
  char delimiter = ',';
  std::string line_end = "\r\n";
  std::string null_marker;
  format::Quoting quoting = format::Quoting::kNeeded;
  bool header = true;
  std::optional<bool> byte_order_mark;
  std::optional<bool> escape_formulas;
  format::WholeFloats whole_floats = format::WholeFloats::kWithPoint;
  bool operator==(const CsvSettings&) const = default;
};

/// Zero: no limit.
struct LimitSettings {
  int64_t rows_per_file = 0;
  config::ByteSize bytes_per_file;
  int64_t columns_max = 0;
  OnLimit on_limit = OnLimit::kSplit;
  bool operator==(const LimitSettings&) const = default;
};

/// What the files of an export look like: what the settings of recipes that write rows begin with.
struct OutputSettings {
  FileFormat format = FileFormat::kCsv;
  Compression compression = Compression::kNone;
  int compression_level = kDefaultLevel;
  std::vector<ExportColumnSettings> columns;
  std::string time_zone = "UTC";
  CsvSettings csv;
  LimitSettings limits;
  bool operator==(const OutputSettings&) const = default;
};

config::Section<OutputSettings> DeclareOutput();

/// The defaults of an export's requests.
OutputOptions OptionsOf(const OutputSettings& settings, std::string destination);

/// The fields of a request by which it differs from these defaults; not time_zone.
std::vector<request::Field> OutputFields();

}  // namespace spillway::recipe
