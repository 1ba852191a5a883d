#include "storage/place.h"

#include <algorithm>

#include "storage/key.h"
#include "storage/s3_url.h"

namespace spillway::storage {
namespace {

std::filesystem::path Resolved(const std::filesystem::path& place) {
  std::error_code error;
  std::filesystem::path resolved = place;
  if (!IsUrl(place.native())) resolved = std::filesystem::weakly_canonical(place, error);
  if (error) resolved = std::filesystem::absolute(place, error);
  resolved = resolved.lexically_normal();
  return resolved.has_filename() ? resolved : resolved.parent_path();
}

}  // namespace

config::Complaint CheckPlace(const std::filesystem::path& place) {
  if (!IsUrl(place.native())) return std::nullopt;
  const auto url = ParseS3Url(place.native());
  if (url.has_value()) return std::nullopt;
  return url.error().message;
}

bool LiesIn(const std::filesystem::path& inner, const std::filesystem::path& outer) {
  const std::filesystem::path in = Resolved(inner);
  const std::filesystem::path out = Resolved(outer);
  return std::ranges::mismatch(out, in).in1 == out.end();
}

bool LiesInPrivateFolder(const std::filesystem::path& place) {
  const std::filesystem::path resolved = Resolved(place);
  const std::filesystem::path folder = kPrivatePrefix.substr(0, kPrivatePrefix.size() - 1);
  return std::ranges::find(resolved, folder) != resolved.end();
}

}  // namespace spillway::storage
