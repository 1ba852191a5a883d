#include "result/chunk_result.h"

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

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Part, file, ranges, rows, bytes, sha256, epoch, detail)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ErrorRecord, key, classification, message)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PublishedFile, item, key, rows, bytes, sha256)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ChunkResult, counts, parts, published, errors,
                                                source_bytes)

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
