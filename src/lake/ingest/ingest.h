#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "lake/ingest/data_file_writer.h"
#include "lake/ingest/ndjson_input.h"
#include "lake/ingest/ndjson_row_parser.h"
#include "lake/ingest/reject.h"
#include "lake/lake.h"
#include "lake/log/commit_log.h"
#include "storage/object_store.h"

namespace spillway::lake {

struct IngestOptions {
  /// Empty: the SHA-256 of the input's bytes, `sha256-<hex>`.
  std::string batch_id;
  int threads = 2;  ///< Threads that parse and write. The calling thread reads.
  /// The memory for rows that wait for their file and for files being written.
  uint64_t memory_bytes = 512 << 20;
  UnknownFields unknown_fields = UnknownFields::kReject;
  size_t line_bytes_max = 1 << 20;  ///< 1 to kLineBytesLimit.
  DataFileOptions files;
};

struct IngestProgress {
  uint64_t input_bytes = 0;
  std::optional<uint64_t> input_bytes_total;
  int64_t lines = 0;
  int64_t rows = 0;          ///< Parsed rows, a few blocks late.
  int64_t rows_written = 0;  ///< Rows in files.
};

/// lines = rows + rejected + empty_lines, always.
struct IngestReport {
  std::string batch_id;
  bool duplicate = false;  ///< The batch was in the lake before; all counts are 0 then.
  int64_t lines = 0;
  int64_t rows = 0;
  int64_t rejected = 0;
  int64_t empty_lines = 0;
  int64_t ignored_fields = 0;
  uint64_t input_bytes = 0;
  uint64_t text_bytes = 0;    ///< The input, expanded.
  uint64_t output_bytes = 0;  ///< Of Parquet.
  int64_t files = 0;
  int64_t version = 0;  ///< 0 when nothing was committed: a duplicate, or no line was a row.
};

/// Adds the messages of `input` to the lake, one JSON object a line. All lines that are messages
/// become visible in one commit, or none do. The other lines go to `rejects`, which is finished
/// before that commit. A batch id is committed once: a second time nothing is added. An input
/// without any row commits nothing, so that it can be corrected and ingested again.
///
/// A given batch id is looked up first, and so is the digest of an input that is small and can be
/// read twice. The digest of any other input is known only at its end, so that a repetition has to
/// read all of it.
///
/// `random` gives the files of this attempt names of their own. `progress` is called from the
/// calling thread. On an error the files of this attempt are removed, or left to CommitLog::Vacuum
/// when the store did not say whether they were committed.
Result<IngestReport> Ingest(storage::ObjectStore& lake, CommitLog& log, const LakeSchema& schema,
                            NdjsonInput& input, RejectSink& rejects, const IngestOptions& options,
                            Random& random, std::stop_token stop,
                            const std::function<void(const IngestProgress&)>& progress);

}  // namespace spillway::lake
