#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <arrow/type_fwd.h>

#include "base/buffer.h"
#include "base/error.h"

namespace spillway::format {

/// Where in its file the encoded rows will be. A file may be put together from several runs of
/// rows, each encoded by another worker; joined in order they must read as one file.
struct Position {
  bool first = true;  ///< The run opens the file (header line, opening bracket).
  bool last = true;   ///< The run closes the file (closing bracket, footer).
};

/// Encodes one run of rows. Bytes are appended to a caller's buffer, which the caller may drain
/// between calls; memory is bounded by a batch (Parquet: by a row group). One thread at a time.
class Encoder {
 public:
  virtual ~Encoder() = default;
  /// Batches have the schema that the encoder was made for, except that a text column may come
  /// dictionary-encoded in one batch and plain in the next. kInvalidArgument names the column and
  /// row of a value that the format cannot carry; the rows of that batch are then lost, and `out`
  /// must not be used. Columns may be kept until Finish, so they own their memory.
  virtual Result<> Append(const arrow::RecordBatch& batch, Buffer& out) = 0;
  /// Ends the run; afterwards the encoder is used for nothing else.
  virtual Result<> Finish(Buffer& out) = 0;
};

/// A file format with its options fixed. Immutable, thread-safe.
class Format {
 public:
  virtual ~Format() = default;
  virtual std::string_view extension() const = 0;  ///< ".csv"
  /// True where runs encoded apart and joined in order are one valid file. Where false (Parquet),
  /// every run is a file of its own.
  virtual bool joinable() const = 0;
  /// `schema` has the columns and names of the file. kUnsupported names a column whose type the
  /// format cannot carry.
  virtual Result<std::unique_ptr<Encoder>> NewEncoder(const arrow::Schema& schema,
                                                      Position position) const = 0;
};

/// The quoting of CSV fields.
enum class Quoting {
  kNeeded,  ///< RFC 4180: fields with the delimiter, a quote, CR or LF; and strings equal to the
            ///< null marker.
  kAll,     ///< Every field but null.
};

/// How a whole number is written in a column of floats.
enum class WholeFloats {
  kWithPoint,  ///< 14.0: readers that guess types see a float in every file.
  kBare,       ///< 14
};

/// How rows become CSV (RFC 4180), UTF-8 taken as it comes.
///
/// - Instants: RFC 3339 with the digits of their unit, "2025-01-31T23:59:59.000001+01:00"; those
///   without a zone have no offset; years outside 0000 to 9999 in ISO 8601's expanded form, as
///   "+10000-01-01", "-0043-03-15" (44 BC). Offsets before standard time are rounded to minutes,
///   and the local time with them, so that the instant stays exact.
/// - Decimals with all digits of their scale; floats in the shortest form that reads back as the
///   same float (14.0, 1e-05, 1e+16, as Python's repr), NaN, Infinity, -Infinity; binary in
///   base64; dates 2025-01-31; times of day 23:59:59.
/// - With an empty null marker, the empty string is "" and an absent value is nothing. In a file of
///   one column the empty string is always "", because readers pass over empty lines; so is an
///   absent value without a marker: choose one there. There the text `\.` is always "\.", because
///   such a line ends the data of PostgreSQL's COPY FROM.
struct CsvOptions {
  /// An ASCII sign that stands in no number, time or base64, is no backslash, nor shares its low
  /// four bits with a quote, CR or LF (*, ], } do).
  char delimiter = ',';
  std::string line_end = "\r\n";
  /// What an absent value is written as, never quoted. At most 32 bytes; nothing that begins like a
  /// number, nor `\.`.
  std::string null_marker;
  Quoting quoting = Quoting::kNeeded;
  bool header = true;
  bool byte_order_mark = false;  ///< For Excel, which otherwise takes UTF-8 for its code page.
  /// Puts an apostrophe before strings that a spreadsheet would run (=, +, -, @, tab, CR first).
  /// Strings only, never typed numbers, nor text that spells them (batch::IsNumberText).
  bool escape_formulas = false;
  WholeFloats whole_floats = WholeFloats::kWithPoint;
  /// IANA zone in which instants are written, as Zone says: "Z" in UTC, an offset in all others,
  /// also in London in winter ("+00:00").
  std::string time_zone = "UTC";
};

/// How rows become JSON (RFC 8259), one object a row and line. Values are as in CSV (floats
/// as 14.0), with these differences: integers and decimals are numbers with all their digits
/// (readers that take them for doubles lose some beyond 2^53); NaN and the infinities are strings,
/// as JSON has no numbers for them; text that is not valid UTF-8 is refused with its row; column
/// names must differ. The first of several runs of an array must have rows.
struct JsonOptions {
  bool lines = false;             ///< NDJSON instead of one array.
  std::string time_zone = "UTC";  ///< As in CsvOptions.
};

/// How rows become Parquet: zstd, statistics, page index. Whether a column gets a dictionary is
/// decided by the first batch.
struct ParquetOptions {
  int64_t rows_per_group = 131072;
  int zstd_level = 1;
  std::string time_zone = "UTC";  ///< The zone noted in the schema; instants stay what they are.
};

/// What a delimiter and a null marker must be to be read back; the error completes "the delimiter
/// …".
Result<> CheckCsvDelimiter(char delimiter);
Result<> CheckCsvNullMarker(std::string_view marker, char delimiter);

/// kInvalidArgument for options that do not exist or cannot be read back, and for an unknown time
/// zone, with the nearest known name.
Result<std::unique_ptr<Format>> NewCsvFormat(CsvOptions options);
Result<std::unique_ptr<Format>> NewJsonFormat(JsonOptions options);
Result<std::unique_ptr<Format>> NewParquetFormat(ParquetOptions options);

}  // namespace spillway::format
