#include "result/chunk_result.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

namespace spillway::engine {

static void to_json(nlohmann::json& json, const Counts& counts) {
  json = {{"planned", counts.planned},
          {"written", counts.written},
          {"excluded", counts.excluded},
          {"failed", counts.failed},
          {"bytes", counts.bytes}};
}

static void from_json(const nlohmann::json& json, Counts& counts) {
  json.at("planned").get_to(counts.planned);
  json.at("written").get_to(counts.written);
  json.at("excluded").get_to(counts.excluded);
  json.at("failed").get_to(counts.failed);
  json.at("bytes").get_to(counts.bytes);
}

}  // namespace spillway::engine

namespace spillway::storage {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ObjectRange, key, offset, bytes)

}  // namespace spillway::storage

namespace spillway::engine {

static void to_json(nlohmann::json& json, const Part& part) {
  json = {{"file", part.file},    {"ranges", part.ranges}, {"rows", part.rows},
          {"bytes", part.bytes},  {"sha256", part.sha256}, {"epoch", part.epoch},
          {"detail", part.detail}};
  if (!part.role.empty()) json["role"] = part.role;
}

static void from_json(const nlohmann::json& json, Part& part) {
  json.at("file").get_to(part.file);
  json.at("ranges").get_to(part.ranges);
  json.at("rows").get_to(part.rows);
  json.at("bytes").get_to(part.bytes);
  json.at("sha256").get_to(part.sha256);
  json.at("epoch").get_to(part.epoch);
  json.at("detail").get_to(part.detail);
  part.role = json.value("role", "");
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ErrorRecord, key, classification, message)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PublishedFile, item, key, rows, bytes, sha256)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StoredResult, key, sha256)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ChunkResult, counts, tallies, parts, published,
                                                errors, errors_left_out, source_bytes, stored)

void KeepFirstErrors(std::vector<ErrorRecord>& errors, int64_t& left_out) {
  if (errors.size() <= kErrorsKept) return;
  std::ranges::stable_partition(
      errors, [](const ErrorRecord& error) { return error.classification != kExcluded; });
  left_out += static_cast<int64_t>(errors.size() - kErrorsKept);
  errors.resize(kErrorsKept);
}

bool HasReport(const ChunkResult& result) {
  return std::ranges::any_of(result.parts, [](const Part& part) { return part.role == kReport; });
}

ChunkResult Shortened(const ChunkResult& result) {
  constexpr size_t kErrorBytes = kChunkFieldBytesMax / 2;
  ChunkResult shortened{.counts = result.counts,
                        .tallies = result.tallies,
                        .errors = result.errors,
                        .errors_left_out = result.errors_left_out,
                        .source_bytes = result.source_bytes};
  KeepFirstErrors(shortened.errors, shortened.errors_left_out);
  size_t kept = 0;
  for (size_t bytes = 0; kept < shortened.errors.size(); ++kept) {
    bytes += nlohmann::json(shortened.errors[kept])
                 .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
                 .size();
    if (bytes > kErrorBytes) break;
  }
  shortened.errors_left_out += static_cast<int64_t>(shortened.errors.size() - kept);
  shortened.errors.resize(kept);
  return shortened;
}

std::string ToJson(const ChunkResult& result) {
  return nlohmann::json(result).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<ChunkResult> ChunkResultFromJson(std::string_view json) {
  try {
    return nlohmann::json::parse(json).get<ChunkResult>();
  } catch (const nlohmann::json::exception& broken) {
    return Fail(ErrorCode::kCorrupt,
                std::string("a chunk's recorded result cannot be read: ") + broken.what());
  }
}

}  // namespace spillway::engine
