#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include "base/error.h"

namespace spillway::storage {

/// What becomes of what a sweep finds.
enum class Sweep {
  kCount,
  kRemoveOwn,  ///< Only what nobody but Spillway can have left.
  kRemove,
};

/// The care of a store whose calls leave something behind when they are cut short (unfinished
/// uploads, temporary objects), and whose server may not keep to what ObjectStore promises.
/// Thread-safe.
class Maintenance {
 public:
  virtual ~Maintenance() = default;

  /// kUnsupported where Overwrite::kNever would take the place of what is there: what needs one of
  /// several racing writers to win asks before it writes. Cheap once it was answered.
  virtual Result<> ProveCreateOnce() = 0;

  /// How much there is that calls of processes that died have left under no key, at least this old:
  /// longer than any call lasts. Unless it is only counted, it is removed.
  virtual Result<size_t> SweepAbandoned(std::chrono::seconds age, Sweep sweep) = 0;

  /// Removes what is unfinished below a prefix where nobody is to write any more, of any age.
  virtual Result<> RemoveUnfinished(std::string_view prefix) = 0;
};

}  // namespace spillway::storage
