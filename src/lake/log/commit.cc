#include "lake/log/commit.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace spillway::lake {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;

int64_t Micros(Timestamp time) { return time.time_since_epoch().count(); }
Timestamp FromMicros(int64_t micros) { return Timestamp(std::chrono::microseconds(micros)); }

json ToJson(const DataFile& file) {
  json groups = json::array();
  for (const RowGroup& group : file.row_groups) {
    groups.push_back({group.rows, group.bytes, Micros(group.min_time), Micros(group.max_time)});
  }
  return {{"key", file.key},
          {"organisation", file.organisation},
          {"day", file.day},
          {"bytes", file.bytes},
          {"row_groups", std::move(groups)}};
}

json ToJson(const std::vector<DataFile>& files) {
  json list = json::array();
  for (const DataFile& file : files) list.push_back(ToJson(file));
  return list;
}

DataFile FileFrom(const json& value) {
  DataFile file;
  file.key = value.at("key").get<std::string>();
  file.organisation = value.at("organisation").get<std::string>();
  file.day = value.at("day").get<int32_t>();
  file.bytes = value.at("bytes").get<uint64_t>();
  for (const json& group : value.at("row_groups")) {
    file.row_groups.push_back({.rows = group.at(0).get<int64_t>(),
                               .bytes = group.at(1).get<uint64_t>(),
                               .min_time = FromMicros(group.at(2).get<int64_t>()),
                               .max_time = FromMicros(group.at(3).get<int64_t>())});
  }
  return file;
}

std::vector<DataFile> FilesFrom(const json& list) {
  std::vector<DataFile> files;
  files.reserve(list.size());
  for (const json& value : list) files.push_back(FileFrom(value));
  return files;
}

Result<> CheckFormat(const json& value) {
  const int format = value.at("format").get<int>();
  if (format > kFormat) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("the lake's log has format {}, this Spillway knows up to {}: upgrade it",
                    format, kFormat));
  }
  return {};
}

Result<std::string> Dump(const json& value) {
  try {
    return value.dump();
  } catch (const json::exception&) {
    return Fail(ErrorCode::kInvalidArgument, "a name in the commit is not UTF-8");
  }
}

}  // namespace

std::string CommitKey(int64_t version) { return fmt::format("_log/{:020}.json", version); }

Result<std::string> CommitToJson(int64_t version, const Commit& commit) {
  return Dump({{"format", kFormat},
               {"version", version},
               {"at", Micros(commit.at)},
               {"batch_id", commit.batch_id},
               {"lines", commit.lines},
               {"rejected", commit.rejected},
               {"empty_lines", commit.empty_lines},
               {"added", ToJson(commit.added)},
               {"removed", ToJson(commit.removed)}});
}

Result<Commit> CommitFromJson(std::string_view text) {
  try {
    const json value = json::parse(text);
    TRY(CheckFormat(value));
    Commit commit;
    commit.batch_id = value.at("batch_id").get<std::string>();
    commit.added = FilesFrom(value.at("added"));
    commit.removed = FilesFrom(value.at("removed"));
    commit.lines = value.at("lines").get<int64_t>();
    commit.rejected = value.at("rejected").get<int64_t>();
    commit.empty_lines = value.at("empty_lines").get<int64_t>();
    commit.at = FromMicros(value.at("at").get<int64_t>());
    return commit;
  } catch (const json::exception& error) {
    return Fail(ErrorCode::kCorrupt, error.what());
  }
}

Result<std::string> FilesToJson(const std::vector<DataFile>& files) {
  return Dump({{"format", kFormat}, {"files", ToJson(files)}});
}

Result<std::vector<DataFile>> FilesFromJson(std::string_view text) {
  try {
    const json value = json::parse(text);
    TRY(CheckFormat(value));
    return FilesFrom(value.at("files"));
  } catch (const json::exception& error) {
    return Fail(ErrorCode::kCorrupt, error.what());
  }
}

}  // namespace spillway::lake
