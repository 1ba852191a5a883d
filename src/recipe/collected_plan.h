#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "recipe/recipe.h"

namespace spillway::recipe {

struct PlannedChunk {
  std::string spec;
  int64_t planned = 0;
};

/// A plan in memory: for tests, and for those who only look at a small one.
class CollectedPlan final : public Planning {
 public:
  Result<> Add(std::string spec, int64_t planned) override {
    chunks.push_back({.spec = std::move(spec), .planned = planned});
    return {};
  }
  Result<std::string> Put(std::string_view name, std::span<const std::byte> bytes) override {
    objects.emplace(name, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    return std::string(name);
  }

  std::vector<PlannedChunk> chunks;
  std::map<std::string, std::string> objects;  ///< By name.
};

}  // namespace spillway::recipe
