#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "lake/ingest/ndjson_row.h"

namespace spillway::lake {

/// What becomes of a field that is no column.
enum class UnknownFields { kReject, kIgnore };

/// The longest name of an organisation.
inline constexpr size_t kOrganisationBytesMax = 1024;

/// The largest limit that may be set for the length of lines.
inline constexpr size_t kLineBytesLimit = 256 << 20;

/// Turns one line of NDJSON into one row. Strict: a line is refused if it is not UTF-8 or not one
/// JSON object, or has a field twice or a value that the column cannot hold exactly. Used by one
/// thread.
class NdjsonRowParser {
 public:
  /// A line has at most `line_bytes_max` bytes. `layout` outlives the parser.
  NdjsonRowParser(const RowLayout& layout, std::string organisation_field,
                  UnknownFields unknown_fields, size_t line_bytes_max);
  ~NdjsonRowParser();

  /// How many bytes must be readable after the line.
  static constexpr size_t kPadding = 64;

  /// Appends the row to `rows` (its header's `line` is left 0) and returns its organisation, which
  /// is valid until the next call; or returns why the line is refused, with `rows` unchanged.
  std::expected<std::string_view, std::string> Parse(std::string_view line, Buffer& rows);

  /// Fields passed over by UnknownFields::kIgnore.
  int64_t ignored_fields() const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace spillway::lake
