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

/// Organisation names are at most so long.
inline constexpr size_t kOrganisationBytesMax = 1024;

/// Lines may be allowed at most so many bytes.
inline constexpr size_t kLineBytesLimit = 256 << 20;

/// Turns one line of NDJSON into one row. Strict: what is not UTF-8, not one JSON object, has a
/// field twice or a value that the column cannot hold exactly is refused. Used by one thread.
class NdjsonRowParser {
 public:
  /// A line has at most `line_bytes_max` bytes. `layout` outlives the parser.
  NdjsonRowParser(const RowLayout& layout, std::string organisation_field,
                  UnknownFields unknown_fields, size_t line_bytes_max);
  ~NdjsonRowParser();

  /// Behind the line, kPadding bytes must be readable.
  static constexpr size_t kPadding = 64;

  /// Appends the row to `rows` (its header's `line` is left 0) and returns its organisation, which
  /// is valid until the next call; or the reason why it is none, with `rows` unchanged.
  std::expected<std::string_view, std::string> Parse(std::string_view line, Buffer& rows);

  /// Fields passed over by UnknownFields::kIgnore.
  int64_t ignored_fields() const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace spillway::lake
