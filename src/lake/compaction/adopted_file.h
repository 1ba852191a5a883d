#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/error.h"
#include "lake/lake.h"
#include "storage/object_store.h"

namespace spillway::lake {

/// The error for a file that cannot be adopted: `<key> cannot be adopted: <reason>`.
std::unexpected<Error> RefuseAdoption(std::string_view key, std::string_view reason);

/// Reads the lake's columns of a Parquet file whole and returns what the log has to know of it.
/// kInvalidArgument when a scan could not read it, or when its rows are not the lake's: other
/// columns, times that are null, unsorted, of several days, or not of `day` if that is a date, text
/// that is not UTF-8. Errors of the store are returned as they are.
Result<DataFile> ReadForAdoption(storage::ObjectStore& store, const storage::ObjectInfo& object,
                                 const LakeSchema& schema, std::string organisation,
                                 const std::optional<std::string>& day, std::stop_token stop);

}  // namespace spillway::lake
