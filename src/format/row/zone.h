#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace date {
class time_zone;
}

namespace spillway::format {

/// The zone in which instants are written. Immutable, thread-safe. Behind the last transition that
/// the system's database lists (2037 for zones with daylight saving time), the last offset holds.
class Zone {
 public:
  /// As FindTimeZone.
  static Result<Zone> Find(std::string_view name);

  /// A run of instants that share an offset, in seconds since 1970-01-01 UTC.
  struct Span {
    int64_t begin = 0;
    int64_t end = 0;     ///< Exclusive.
    int64_t offset = 0;  ///< Local time minus UTC, rounded to whole minutes as RFC 3339 asks.
  };

  /// The span around an instant of the years 0 to 9999.
  Span SpanAt(int64_t seconds) const;

  const std::string& name() const { return name_; }
  /// Written as "Z".
  bool utc() const { return zone_ == nullptr; }

 private:
  std::string name_;
  const date::time_zone* zone_ = nullptr;
};

}  // namespace spillway::format
