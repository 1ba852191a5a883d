#include "config/checks.h"

#include "base/time_zone.h"

namespace spillway::config {

Complaint CheckNotEmpty(const std::string& name) {
  if (!name.empty()) return std::nullopt;
  return "is empty; give it a name";
}

Complaint CheckTimeZone(const std::string& name) {
  const auto zone = FindTimeZone(name);
  if (zone.has_value()) return std::nullopt;
  const std::string& problem = zone.error().message;
  return zone.error().code == ErrorCode::kInvalidArgument ? "names an " + problem : problem;
}

}  // namespace spillway::config
