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

/// Writes the extents one behind the other to `name`, placed so, visible at once and
/// whole, in the place of what is there. One whole object is copied. `new_name` names the objects
/// that joins of very many parts need on their way; they are removed.
Result<> Join(Client& client, const S3StoreOptions& options, const std::string& name,
              const std::vector<Extent>& extents, const Placement& placement,
              const std::function<std::string()>& new_name);

/// Copies an object of any size: one that is longer than options.join.copy_bytes_max in parts. The
/// copy is placed so, whatever its source is like, in the place of what is there. kNotFound when
/// there is no source, kConflict when another took its place meanwhile.
Result<> Copy(Client& client, const S3StoreOptions& options, const std::string& source,
              const std::string& name, Placement placement);

}  // namespace spillway::storage::s3
