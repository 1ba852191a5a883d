#include "engine/staged_bytes.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "base/digest.h"
#include "base/log.h"
#include "engine/recorded_result.h"
#include "result/chunk_result.h"

namespace spillway::engine {

Result<> CheckNotStopped(const std::stop_token& stop) {
  if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "stopped while finishing");
  return {};
}

namespace {

/// Whether the part's bytes are there, and those that were staged.
Result<bool> IsWhole(storage::ObjectStore& store, const Part& part, const std::stop_token& stop) {
  Sha256 hash;
  std::vector<std::byte> block(store.traits().transfer_bytes);
  for (const storage::ObjectRange& range : part.ranges) {
    const Result<std::unique_ptr<storage::ObjectReader>> reader = store.Open(range.key, stop);
    if (!reader.has_value()) {
      if (reader.error().code != ErrorCode::kNotFound) return std::unexpected(reader.error());
      return false;
    }
    for (uint64_t done = 0; done < range.bytes;) {
      TRY(CheckNotStopped(stop));
      const size_t wanted = std::min<uint64_t>(block.size(), range.bytes - done);
      const size_t got =
          TRY((*reader)->ReadAt(range.offset + done, std::span(block).first(wanted)));
      if (got == 0) break;
      hash.Update(std::span(block).first(got));
      done += got;
    }
  }
  return ToHex(hash.Finish()) == part.sha256;
}

Error NotWhole(std::string_view file) {
  return {.code = ErrorCode::kCorrupt,
          .message = "staged bytes of " + std::string(file) +
                     " did not outlive a restart of the machine; " + std::string(kRedrive)};
}

/// Looks for chunks whose staged bytes are lost.
class LossFinder {
 public:
  LossFinder(storage::ObjectStore& store, std::stop_token stop)
      : store_(store), stop_(std::move(stop)) {}

  /// Why the chunk's result cannot be used; none where it can.
  Result<std::optional<Error>> LossOf(const ChunkResult& result) {
    for (const Part& part : result.parts) {
      TRY(CheckNotStopped(stop_));
      for (const storage::ObjectRange& range : part.ranges) {
        if (!whole_.insert(range.key).second) continue;
        const Result<> synced = store_.Sync(range.key);
        if (synced.has_value()) continue;
        whole_.erase(range.key);
        Error error = ForMissing(store_, synced.error(), part.file, kRedrive);
        if (error.code != ErrorCode::kCorrupt) return std::unexpected(std::move(error));
        return error;
      }
      if (part.epoch == store_.traits().epoch) continue;
      if (!TRY(IsWhole(store_, part, stop_))) return NotWhole(part.file);
    }
    return std::nullopt;
  }

 private:
  storage::ObjectStore& store_;
  const std::stop_token stop_;
  std::set<std::string> whole_;  ///< Stages that are there.
};

}  // namespace

Error ForMissing(storage::ObjectStore& store, Error error, std::string_view file,
                 std::string_view remedy) {
  if (error.code != ErrorCode::kNotFound) return error;
  // What is missing may be the whole place.
  if (const auto in_place = store.CheckInPlace(); !in_place.has_value()) return in_place.error();
  if (const auto listed = store.List("", "", 1); !listed.has_value()) return listed.error();
  return {.code = ErrorCode::kCorrupt,
          .message = "staged bytes of " + std::string(file) +
                     " were deleted before they were published; " + std::string(remedy)};
}

Result<> MakeDurable(storage::ObjectStore& store, const std::vector<recipe::OutputFile>& files,
                     const std::stop_token& stop) {
  std::map<std::string, std::string_view> file_of_stage;
  for (const recipe::OutputFile& file : files) {
    for (const Part& part : file.parts) {
      if (part.epoch != store.traits().epoch && !TRY(IsWhole(store, part, stop)))
        return std::unexpected(NotWhole(part.file));
      for (const storage::ObjectRange& range : part.ranges) {
        file_of_stage.emplace(range.key, file.name);
      }
    }
  }
  for (const auto& [stage, file] : file_of_stage) {
    TRY(CheckNotStopped(stop));
    const Result<> synced = store.Sync(stage);
    if (!synced.has_value())
      return std::unexpected(ForMissing(store, synced.error(), file, kRedrive));
  }
  return {};
}

Result<> MarkLostChunks(Context& context, HeldJob& held, storage::ObjectStore& store,
                        Staging& staging) {
  LossFinder finder(store, held.stop());
  std::vector<store::LostChunk> lost;
  for (int64_t after = -1;;) {
    const std::vector<Chunk> chunks = TRY(context.store.ListChunks(
        held.job.id, ChunkState::kSucceeded, after, store::kLostChunksMax));
    if (chunks.empty()) break;
    after = chunks.back().index;
    lost.clear();
    for (const Chunk& chunk : chunks) {
      const ChunkResult record = TRY(ChunkResultFromJson(chunk.result));
      std::optional<Error> loss;
      const Result<ChunkResult> result = RecordedResult(staging, chunk.result, held.stop());
      if (result.has_value()) {
        loss = TRY(finder.LossOf(*result));
      } else {
        Error error =
            ForMissing(store, result.error(), "chunk " + std::to_string(chunk.index), kRedrive);
        if (error.code != ErrorCode::kCorrupt) return std::unexpected(std::move(error));
        loss = std::move(error);
      }
      if (!loss.has_value()) continue;
      context.log.Warning("chunk lost",
                          {{"job", held.job.id}, {"chunk", chunk.index}, {"error", loss->message}});
      lost.push_back({.index = chunk.index, .counts = record.counts, .cause = *std::move(loss)});
    }
    if (!lost.empty()) held.job = TRY(context.store.MarkLost(held.lease(), lost));
  }
  return {};
}

}  // namespace spillway::engine
