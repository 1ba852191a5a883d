#include "recipe/query_export/layout.h"

#include <algorithm>

#include "recipe/output/assemble.h"
#include "recipe/output/chunk_writer.h"
#include "recipe/output/part_encoder.h"

namespace spillway::recipe {
namespace {

int64_t RowsOf(const std::vector<QueryChunk>& chunks) {
  int64_t rows = 0;
  for (const QueryChunk& chunk : chunks) rows += chunk.rows;
  return rows;
}

/// One file after the other, each full but the last.
void JoinFiles(std::string_view stem, std::string_view extension, int64_t per_file,
               std::vector<QueryChunk>& chunks) {
  const int64_t total = RowsOf(chunks);
  if (per_file == 0) per_file = std::max<int64_t>(total, 1);
  const int64_t files = std::max<int64_t>(1, (total + per_file - 1) / per_file);
  int64_t at = 0;
  for (QueryChunk& chunk : chunks) {
    const int64_t end = at + chunk.rows;
    do {
      const int64_t file = at / per_file;
      const int64_t rows = std::min(end, (file + 1) * per_file) - at;
      chunk.runs.push_back({.file = NumberedName(stem, file + 1, files, extension),
                            .first = at == file * per_file,
                            .last = at + rows == total || at + rows == (file + 1) * per_file,
                            .rows = rows});
      at += rows;
    } while (at < end);
  }
}

/// Every chunk its own files.
void SplitFiles(std::string_view stem, std::string_view extension, int64_t per_file,
                std::vector<QueryChunk>& chunks) {
  int64_t files = 0;
  for (QueryChunk& chunk : chunks) {
    int64_t left = chunk.rows;
    do {
      const int64_t rows = per_file == 0 ? left : std::min(left, per_file);
      chunk.runs.push_back({.rows = rows});
      left -= rows;
    } while (left > 0);
    files += static_cast<int64_t>(chunk.runs.size());
  }
  for (int64_t file = 0; QueryChunk & chunk : chunks) {
    for (FileRun& run : chunk.runs) run.file = NumberedName(stem, ++file, files, extension);
  }
}

}  // namespace

Result<> ApplyRowLimit(const Limits& limits, std::vector<QueryChunk>& chunks) {
  const int64_t limit = limits.rows_per_file;
  const int64_t rows = RowsOf(chunks);
  if (limit == 0 || rows <= limit || limits.on_limit == OnLimit::kSplit) return {};
  if (limits.on_limit == OnLimit::kFail) {
    return Fail(ErrorCode::kOutOfSpace,
                std::to_string(rows) + " rows are more than limits.rows_per_file " +
                    std::to_string(limit) + " allows; ask for fewer, or set on_limit: split");
  }
  int64_t kept = 0;
  size_t chunks_kept = 0;
  while (kept < limit) {
    QueryChunk& chunk = chunks[chunks_kept++];
    chunk.rows = std::min(chunk.rows, limit - kept);
    kept += chunk.rows;
  }
  chunks.resize(chunks_kept);
  chunks.back().cut_off = rows - limit;
  return {};
}

Result<> LayOut(const OutputOptions& output, std::string_view stem,
                std::vector<QueryChunk>& chunks) {
  const FileKind kind = TRY(FileKind::Make(output));
  const int64_t per_file =
      output.limits.on_limit == OnLimit::kSplit ? output.limits.rows_per_file : 0;
  const bool apart = output.compression == Compression::kZip || PartsAreFiles(output, kind);
  (apart ? SplitFiles : JoinFiles)(stem, kind.extension(), per_file, chunks);
  return {};
}

}  // namespace spillway::recipe
