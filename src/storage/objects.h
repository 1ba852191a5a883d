#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/error.h"
#include "storage/object_store.h"

/// What is done with whole objects, in any store. Each may be called by many threads.
namespace spillway::storage {

/// Calls `visit` with every object below the prefix, in byte order of their keys, until it returns
/// an error. `visit` may remove the object that it is given.
Result<> ForEachObject(ObjectStore& store, std::string_view prefix,
                       const std::function<Result<>(const ObjectInfo&)>& visit);

/// All of a small object. kNotFound when there is none, kCorrupt when it ends early.
Result<std::string> ReadWhole(ObjectStore& store, std::string_view key, std::stop_token stop = {});

/// Publishes a small object. Errors as ObjectWriter::Finish.
Result<ObjectInfo> PutWhole(ObjectStore& store, std::string_view key, std::string_view text,
                            Overwrite overwrite = Overwrite::kAllowed);

}  // namespace spillway::storage
