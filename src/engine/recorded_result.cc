#include "engine/recorded_result.h"

#include <utility>

#include <fmt/format.h>

#include "base/digest.h"
#include "engine/staged_bytes.h"

namespace spillway::engine {

std::vector<ErrorRecord> ForRecipients(std::vector<ErrorRecord> errors) {
  for (ErrorRecord& error : errors) {
    if (error.classification == kExcluded) continue;
    error.message = "could not be exported; whoever runs the export can see why";
  }
  return errors;
}

Result<std::string> RecordResult(Staging& staging, const Lease& lease, ChunkResult result,
                                 size_t bytes_max) {
  if (HasReport(result)) KeepFirstErrors(result.errors, result.errors_left_out);
  std::string json = ToJson(result);
  if (json.size() <= bytes_max) return json;
  ChunkResult shortened = Shortened(result);
  // It stands where the export is delivered to.
  result.errors = ForRecipients(std::move(result.errors));
  json = ToJson(result);
  // A token is given once, so no other attempt writes over it.
  const std::string name = fmt::format("result-{}-{}.json", lease.chunk, lease.token);
  shortened.stored.key = TRY(staging.Put(name, json));
  shortened.stored.sha256 = ToHex(Sha256Of(json));
  std::string record = ToJson(shortened);
  if (record.size() <= kChunkFieldBytesMax) return record;
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("the tallies of chunk {} take {} bytes; a record holds {}", lease.chunk,
                          record.size(), kChunkFieldBytesMax));
}

Result<ChunkResult> RecordedResult(Staging& staging, std::string_view record,
                                   std::stop_token stop) {
  ChunkResult result = TRY(ChunkResultFromJson(record));
  if (result.stored.key.empty()) return result;
  const std::string json = TRY(staging.Read(result.stored.key, std::move(stop)));
  if (ToHex(Sha256Of(json)) == result.stored.sha256) return ChunkResultFromJson(json);
  return Fail(ErrorCode::kCorrupt,
              fmt::format("{} is not the result that was stored; {}", result.stored.key, kRedrive));
}

}  // namespace spillway::engine
