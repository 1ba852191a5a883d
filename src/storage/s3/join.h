#pragma once

#include <functional>
#include <string>
#include <vector>

#include "storage/s3/join_plan.h"
#include "storage/s3/s3_store.h"

namespace spillway::storage::s3 {

/// The metadata that tells what an object was composed of.
inline constexpr char kComposeMetadata[] = "spillway-compose";

/// Has the server copy a part of one extent; reads and sends one of several.
Result<UploadedPart> SendPart(Client& client, const Upload& upload, int number,
                              const JoinPart& part);

/// Writes the extents one after the other to `name`, with the properties `placement`; visible at
/// once and whole, and replacing what is there. A single whole object is copied. Joins of very many
/// parts need temporary objects, which `new_name` names; they are removed.
Result<> Join(Client& client, const S3StoreOptions& options, const std::string& name,
              const std::vector<Extent>& extents, const Placement& placement,
              const std::function<std::string()>& new_name);

/// Copies an object of any size; one longer than options.join.copy_bytes_max is copied in parts. The
/// copy has the properties `placement`, whatever its source has, and replaces what is there.
/// kNotFound when there is no source, kConflict when it was replaced meanwhile.
Result<> Copy(Client& client, const S3StoreOptions& options, const std::string& source,
              const std::string& name, Placement placement);

}  // namespace spillway::storage::s3
