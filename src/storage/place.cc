#include "storage/place.h"

#include "storage/s3_url.h"

namespace spillway::storage {

config::Complaint CheckPlace(const std::filesystem::path& place) {
  if (!IsUrl(place.native())) return std::nullopt;
  const auto url = ParseS3Url(place.native());
  if (url.has_value()) return std::nullopt;
  return url.error().message;
}

}  // namespace spillway::storage
