#include "settings/setting_checks.h"

#include "base/time_zone.h"
#include "postgres/address.h"
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

Complaint CheckState(const StateAddress& state) {
  if (state.is_postgres()) {
    const auto address = postgres::ParseAddress(state.postgres());
    if (address.has_value()) return std::nullopt;
    return "does not read as postgres://user@host:port/database; percent-encode special characters";
  }
  const std::string text = state.file().string();
  const size_t begin = text.starts_with("//") ? 2 : 0;
  const size_t colon = text.substr(0, text.find('/', begin)).find(':', begin);
  const size_t first_colon = text.find(':');
  const bool has_login = !text.starts_with('/') && first_colon != std::string::npos &&
                         text.find('@', first_colon) != std::string::npos;
  const bool is_url =
      has_login || (colon != std::string::npos && (text.substr(colon + 1).starts_with('/') ||
                                                   text.find('@', colon) != std::string::npos));
  std::string without_spaces = text;
  std::erase(without_spaces, ' ');
  const bool has_keywords =
      without_spaces.contains("password=") || without_spaces.contains("dbname=");
  if (!is_url && !has_keywords) return std::nullopt;
  return "is neither a file nor postgres://user@host/database";
}

Complaint CheckPlace(const std::filesystem::path& place) {
  if (!storage::IsUrl(place.native())) return std::nullopt;
  const auto url = storage::ParseS3Url(place.native());
  if (url.has_value()) return std::nullopt;
  return url.error().message;
}

}  // namespace spillway
