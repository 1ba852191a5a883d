#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "lake/ingest/line_blocks.h"
#include "lake/ingest/ndjson_row_parser.h"
#include "lake/ingest/partition_buffers.h"
#include "lake/ingest/reject.h"

namespace spillway::lake {

/// What became of the lines of one or many blocks.
struct LineCounts {
  int64_t rows = 0;
  int64_t rejected = 0;
  int64_t empty_lines = 0;

  LineCounts& operator+=(const LineCounts& other) {
    rows += other.rows;
    rejected += other.rejected;
    empty_lines += other.empty_lines;
    return *this;
  }
};

/// Parses blocks of lines and hands their rows to the partitions. One a thread.
class BlockParser {
 public:
  /// All references outlive the parser.
  BlockParser(const RowLayout& layout, const std::string& organisation_field,
              UnknownFields unknown_fields, size_t line_bytes_max, PartitionBuffers& partitions,
              RejectOrder& rejects);

  Result<LineCounts> Parse(const LineBlock& block);

  int64_t ignored_fields() const { return parser_.ignored_fields(); }

 private:
  struct Days {
    int32_t last_day = 0;
    PartitionBuffers::Partition* last = nullptr;
    std::unordered_map<int32_t, PartitionBuffers::Partition*> others;
  };
  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };

  void TakeLine(std::string_view line, LinePlace place, LineCounts& counts);
  PartitionBuffers::Partition& Find(std::string_view organisation, int64_t time);
  void HandOver(int64_t block);

  const size_t line_bytes_max_;
  PartitionBuffers& partitions_;
  RejectOrder& rejects_;
  NdjsonRowParser parser_;
  std::unordered_map<std::string, Days, NameHash, std::equal_to<>> organisations_;
  Buffer rows_;
  std::string refused_;
  /// By partition number: where its rows of this block start in rows_.
  std::vector<std::vector<uint32_t>> offsets_;
  std::vector<PartitionBuffers::Partition*> touched_;
};

}  // namespace spillway::lake
