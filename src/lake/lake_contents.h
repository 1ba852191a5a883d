#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lake/ingest/reject.h"
#include "lake/lake.h"
#include "lake/log/commit_log.h"
#include "storage/object_store.h"

namespace spillway::lake {

/// Columns of every kind: id, at, text, count (int64), ratio (double), price (decimal(10,4)), open
/// (bool). Organisations are in "organisation". For tests.
LakeSchema MessageSchema();

/// Every row of the organisation in the order of an export, as `id|at in
/// µs|text|count|ratio|price|open`; null is "-". An organisation the lake does not know has none.
std::vector<std::string> Contents(storage::ObjectStore& store, const CommitLog& log,
                                  const LakeSchema& schema, std::string_view organisation);

/// The contents of all organisations, each row with `organisation|` before it.
std::vector<std::string> Contents(storage::ObjectStore& store, const CommitLog& log,
                                  const LakeSchema& schema);

/// The keys of objects under `org=` that no commit names.
std::vector<std::string> Debris(storage::ObjectStore& store, const CommitLog& log);

/// Keeps what was refused.
class RejectedText final : public RejectSink {
 public:
  Result<> Write(std::string_view ndjson) override {
    text += ndjson;
    return {};
  }
  Result<> Finish() override { return {}; }
  std::string text;
};

}  // namespace spillway::lake
