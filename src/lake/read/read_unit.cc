#include <exception>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "lake/read/read_plan.h"

namespace spillway::lake {
namespace {

int64_t Microseconds(Timestamp time) { return time.time_since_epoch().count(); }

Timestamp Instant(const nlohmann::json& microseconds) {
  return Timestamp(std::chrono::microseconds(microseconds.get<int64_t>()));
}

}  // namespace

std::string ToJson(const ReadUnit& unit) {
  nlohmann::json slices = nlohmann::json::array();
  for (const Slice& slice : unit.slices) {
    slices.push_back({{"key", slice.key},
                      {"file_bytes", slice.file_bytes},
                      {"first_row_group", slice.first_row_group},
                      {"row_groups", slice.row_groups},
                      {"rows", slice.rows},
                      {"min_time", Microseconds(slice.min_time)},
                      {"max_time", Microseconds(slice.max_time)}});
  }
  return nlohmann::json({{"begin", Microseconds(unit.range.begin)},
                         {"end", Microseconds(unit.range.end)},
                         {"slices", std::move(slices)},
                         {"skip", unit.skip},
                         {"rows", unit.rows}})
      .dump();
}

Result<ReadUnit> ReadUnitFromJson(std::string_view json) try {
  const auto parsed = nlohmann::json::parse(json);
  ReadUnit unit;
  unit.range = {Instant(parsed.at("begin")), Instant(parsed.at("end"))};
  for (const auto& each : parsed.at("slices")) {
    unit.slices.push_back({.key = each.at("key"),
                           .file_bytes = each.at("file_bytes"),
                           .first_row_group = each.at("first_row_group"),
                           .row_groups = each.at("row_groups"),
                           .rows = each.at("rows"),
                           .min_time = Instant(each.at("min_time")),
                           .max_time = Instant(each.at("max_time"))});
  }
  unit.skip = parsed.at("skip");
  unit.rows = parsed.at("rows");
  return unit;
} catch (const nlohmann::json::exception& e) {
  return Fail(ErrorCode::kCorrupt, std::string("a chunk's read unit does not parse (") + e.what() +
                                       "); cancel the job and start it again");
}

}  // namespace spillway::lake
