#pragma once

#include <memory>

#include "storage/object_store.h"

namespace spillway::storage {

/// For tests and benchmarks: a store as its users hold it, although it is not theirs to close. It
/// outlives them.
inline std::shared_ptr<ObjectStore> Lent(ObjectStore& store) {
  return {&store, [](ObjectStore*) {}};
}

}  // namespace spillway::storage
