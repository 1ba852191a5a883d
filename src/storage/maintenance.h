#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include "base/error.h"

namespace spillway::storage {

/// What a sweep does with what it finds.
enum class Sweep {
  kCount,
  kRemoveOwn,  ///< Only what nobody but Spillway can have left.
  kRemove,
};

/// Upkeep of a store that interrupted calls leave something in (unfinished uploads, temporary
/// objects), or whose server may not do what ObjectStore promises. Thread-safe.
class Maintenance {
 public:
  virtual ~Maintenance() = default;

  /// kUnsupported when the store cannot honour Overwrite::kNever. Callers that need exactly one of
  /// several racing writers to win must ask first. Later calls are cheap: the answer is kept.
  virtual Result<> ProveCreateOnce() = 0;

  /// Finds unfinished uploads and temporary objects that processes left when they died, at least
  /// `age` old, which must be longer than any call lasts. Returns how many there are, and removes
  /// them unless `sweep` says to count only.
  virtual Result<size_t> SweepAbandoned(std::chrono::seconds age, Sweep sweep) = 0;

  /// Removes unfinished objects of any age below a prefix where nobody will write any more.
  virtual Result<> RemoveUnfinished(std::string_view prefix) = 0;
};

}  // namespace spillway::storage
