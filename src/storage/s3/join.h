#pragma once

#include <functional>
#include <string>
#include <vector>

#include "storage/s3/join_plan.h"
#include "storage/s3/s3_store.h"

namespace spillway::storage::s3 {

/// Writes the extents one behind the other to `name`, placed so, visible at once and
/// whole. `new_name` names the objects that joins of very many parts need on their way; they are
/// removed.
Result<> Join(Client& client, const S3StoreOptions& options, const std::string& name,
              const std::vector<Extent>& extents, const Placement& placement,
              const std::function<std::string()>& new_name);

}  // namespace spillway::storage::s3
