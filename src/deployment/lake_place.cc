#include "deployment/lake_place.h"

#include <utility>

#include "storage/s3_url.h"

namespace spillway {

Result<std::unique_ptr<LakePlace>> LakePlace::Open(const lake::LakeSettings& settings,
                                                   Stores& stores, Clock& clock,
                                                   Stores::Missing missing) {
  const std::string place = settings.directory.string();
  if (missing == Stores::Missing::kFails && !storage::IsUrl(place) && !IsThere(place)) {
    return FailTransient(ErrorCode::kNotFound,
                         "there is no lake at " + place +
                             "; ingest messages, which makes it, mount the disk that it is on, or "
                             "set lake.directory to where it is");
  }
  lake::LakeSchema schema = TRY(lake::SchemaOf(settings));
  std::unique_ptr<storage::ObjectStore> store = TRY(stores.Open(place, missing));
  return std::unique_ptr<LakePlace>(new LakePlace(std::move(store), clock, std::move(schema)));
}

}  // namespace spillway
