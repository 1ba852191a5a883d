#include "recipe/message_export/chunk_spec.h"

#include <nlohmann/json.hpp>

namespace spillway::recipe {

std::string ToJson(const ChunkSpec& spec) {
  return nlohmann::json{{"unit", nlohmann::json::parse(lake::ToJson(spec.unit))},
                        {"file", spec.file},
                        {"first", spec.first},
                        {"last", spec.last},
                        {"cut_off", spec.cut_off}}
      .dump();
}

Result<ChunkSpec> ChunkSpecFromJson(std::string_view text) {
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    ChunkSpec spec;
    spec.unit = TRY(lake::ReadUnitFromJson(json.at("unit").dump()));
    json.at("file").get_to(spec.file);
    json.at("first").get_to(spec.first);
    json.at("last").get_to(spec.last);
    json.at("cut_off").get_to(spec.cut_off);
    return spec;
  } catch (const nlohmann::json::exception& broken) {
    return Fail(ErrorCode::kCorrupt,
                std::string("a chunk's recorded work does not read: ") + broken.what());
  }
}

}  // namespace spillway::recipe
