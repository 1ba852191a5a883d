#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time_zone.h"

namespace spillway::format {

/// How instants are written in UTC itself. Other zones always have an offset, London's "+00:00" as
/// well.
enum class UtcForm {
  kZ,       ///< "Z"
  kOffset,  ///< "+00:00": for files that have rows of several zones.
};

/// The zone in which instants are written. Immutable, thread-safe.
class Zone {
 public:
  /// As FindTimeZone.
  static Result<Zone> Find(std::string_view name, UtcForm utc = UtcForm::kZ);

  /// A run of instants that share an offset, in seconds since 1970-01-01 UTC.
  struct Span {
    int64_t begin = 0;
    int64_t end = 0;     ///< Exclusive.
    int64_t offset = 0;  ///< Local time minus UTC, rounded to whole minutes as RFC 3339 asks.
  };

  /// The span around an instant.
  Span SpanAt(int64_t seconds) const;

  const std::string& name() const { return name_; }
  /// Written as "Z".
  bool is_z() const { return is_z_; }

 private:
  std::string name_;
  TimeZone zone_;
  bool is_z_ = false;
};

}  // namespace spillway::format
