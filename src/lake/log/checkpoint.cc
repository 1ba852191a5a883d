#include "lake/log/checkpoint.h"

#include <chrono>
#include <ranges>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "storage/key.h"
#include "storage/objects.h"

namespace spillway::lake {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;
constexpr uint64_t kCountdownFrom = 10'000'000'000'000'000'000U;

std::string CheckpointKey(int64_t version) {
  return fmt::format("{}{:020}.json", kCheckpointPrefix,
                     kCountdownFrom - static_cast<uint64_t>(version));
}

std::string ShardKey(int64_t version, std::string_view organisation) {
  return fmt::format("{}{:020}/{}.json", kShardPrefix, version,
                     storage::EscapeKeySegment(organisation));
}

std::string MarkerKey(std::string_view batch_id) {
  return "_log/batches/" + storage::EscapeKeySegment(batch_id);
}

Result<Checkpoint> CheckpointFromJson(std::string_view text) {
  try {
    const json value = json::parse(text);
    if (value.at("format").get<int>() > kFormat) {
      return Fail(ErrorCode::kUnsupported,
                  "a newer Spillway wrote this checkpoint: upgrade this one");
    }
    return Checkpoint{
        .version = value.at("version").get<int64_t>(),
        .at = Timestamp(std::chrono::microseconds(value.at("at").get<int64_t>())),
        .shards = value.at("shards").get<std::map<std::string, std::string>>(),
    };
  } catch (const json::exception& error) {
    return Fail(ErrorCode::kCorrupt, error.what());
  }
}

/// Racing writers of one checkpoint write the same bytes: whoever came first did it.
Result<> WriteOnce(storage::ObjectStore& store, std::string_view key, std::string_view text) {
  auto written = storage::PutWhole(store, key, text, storage::Overwrite::kNever);
  if (written || written.error().code == ErrorCode::kAlreadyExists) return {};
  return std::unexpected(std::move(written).error());
}

std::set<std::string> ChangedOrganisations(std::span<const CommitRecord> records) {
  std::set<std::string> changed;
  for (const CommitRecord& record : records) {
    for (const DataFile& file : record.commit->added) changed.insert(file.organisation);
    for (const DataFile& file : record.commit->removed) changed.insert(file.organisation);
  }
  return changed;
}

Result<> WriteShard(storage::ObjectStore& store, const std::optional<Checkpoint>& base,
                    std::span<const CommitRecord> records, const std::string& organisation,
                    Checkpoint& next) {
  std::map<std::string, DataFile> files;
  if (base) {
    for (DataFile& file : TRY(ReadShard(store, *base, organisation))) {
      files.emplace(file.key, std::move(file));
    }
  }
  for (const CommitRecord& record : records) Replay(*record.commit, organisation, files);
  if (files.empty()) {
    next.shards.erase(organisation);
    return {};
  }
  const auto values = files | std::views::values;
  const std::string text = TRY(FilesToJson({values.begin(), values.end()}));
  const std::string key = ShardKey(next.version, organisation);
  TRY(WriteOnce(store, key, text));
  next.shards[organisation] = key;
  return {};
}

}  // namespace

Result<std::optional<Checkpoint>> ReadNewestCheckpoint(storage::ObjectStore& store) {
  const auto listed = TRY(store.List(kCheckpointPrefix, "", 1));
  if (listed.empty()) return std::nullopt;
  const std::string text = TRY(storage::ReadWhole(store, listed.front().key));
  auto checkpoint = CheckpointFromJson(text);
  if (!checkpoint) return std::unexpected(std::move(checkpoint).error().Within(listed.front().key));
  return std::move(*checkpoint);
}

Result<std::vector<DataFile>> ReadShard(storage::ObjectStore& store, const Checkpoint& checkpoint,
                                        std::string_view organisation) {
  const auto found = checkpoint.shards.find(std::string(organisation));
  if (found == checkpoint.shards.end()) return std::vector<DataFile>{};
  const std::string text = TRY(storage::ReadWhole(store, found->second));
  auto files = FilesFromJson(text);
  if (!files) return std::unexpected(std::move(files).error().Within(found->second));
  return files;
}

Result<> WriteCheckpoint(storage::ObjectStore& store, const std::optional<Checkpoint>& base,
                         std::span<const CommitRecord> records) {
  Checkpoint next;
  if (base) next = *base;
  next.version += static_cast<int64_t>(records.size());
  next.at = records.back().commit->at;
  for (const std::string& organisation : ChangedOrganisations(records)) {
    TRY(WriteShard(store, base, records, organisation, next));
  }
  for (const CommitRecord& record : records) {
    if (record.commit->batch_id.empty()) continue;
    TRY(WriteOnce(store, MarkerKey(record.commit->batch_id), ""));
  }
  const json root = {{"format", kFormat},
                     {"version", next.version},
                     {"at", next.at.time_since_epoch().count()},
                     {"shards", next.shards}};
  return WriteOnce(store, CheckpointKey(next.version), root.dump());
}

Result<bool> HasBatchMarker(storage::ObjectStore& store, std::string_view batch_id) {
  return TRY(store.Head(MarkerKey(batch_id))).has_value();
}

void Replay(const Commit& commit, std::string_view organisation,
            std::map<std::string, DataFile>& files) {
  for (const DataFile& file : commit.removed) {
    if (file.organisation == organisation) files.erase(file.key);
  }
  for (const DataFile& file : commit.added) {
    if (file.organisation == organisation) files.insert_or_assign(file.key, file);
  }
}

}  // namespace spillway::lake
