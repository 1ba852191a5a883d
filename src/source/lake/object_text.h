#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "storage/object_store.h"

namespace spillway::lake {

/// The whole object. kNotFound when there is none.
Result<std::string> ReadText(storage::ObjectStore& store, std::string_view key);

/// Publishes the text under the key. kAlreadyExists as ObjectWriter::Finish.
Result<> WriteText(storage::ObjectStore& store, std::string_view key, std::string_view text,
                   storage::Overwrite overwrite);

}  // namespace spillway::lake
