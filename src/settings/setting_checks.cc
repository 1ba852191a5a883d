#include "settings/setting_checks.h"

#include "base/time_zone.h"
#include "storage/s3_url.h"

namespace spillway {

using config::Complaint;

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

Complaint CheckPlace(const std::filesystem::path& place) {
  if (!storage::IsUrl(place.native())) return std::nullopt;
  const auto url = storage::ParseS3Url(place.native());
  if (url.has_value()) return std::nullopt;
  return url.error().message;
}

}  // namespace spillway
