#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <date/date.h>

#include "base/clock.h"
#include "base/error.h"

namespace spillway {

struct ZoneFile;

/// A run of instants at which the clocks of a zone have the same offset.
struct OffsetSpan {
  /// The begin of a span that has always been, and the end of one that never ends. Adding other
  /// instants to them, or subtracting them, does not overflow.
  static constexpr date::sys_seconds kBeginning{std::chrono::seconds(-(int64_t{1} << 60))};
  static constexpr date::sys_seconds kEnd{std::chrono::seconds(int64_t{1} << 60)};

  date::sys_seconds begin = kBeginning;
  date::sys_seconds end = kEnd;           ///< Exclusive.
  std::chrono::seconds offset{0};         ///< Local time minus UTC.
  std::string_view abbreviation = "UTC";  ///< "CEST"; lives as long as a copy of the zone.
};

/// A time zone of the IANA database, for all times: after the last change that the system's file
/// lists, the rule at its end goes on. A value that is cheap to copy; immutable, thread-safe.
class TimeZone {
 public:
  using LocalTime = date::local_time<std::chrono::microseconds>;

  /// UTC.
  TimeZone() = default;
  TimeZone(std::string name, std::shared_ptr<const ZoneFile> file);

  const std::string& name() const { return name_; }

  /// The run that holds an instant between kBeginning and kEnd.
  OffsetSpan SpanAt(date::sys_seconds at) const;

  /// What the zone's clocks show at an instant.
  LocalTime LocalTimeAt(Timestamp at) const;

  /// When the zone's clocks show `local`: the first time, where they do so twice; the end of the
  /// gap, where they skip it.
  Timestamp FirstInstantOf(LocalTime local) const;

 private:
  std::string name_ = "UTC";
  std::shared_ptr<const ZoneFile> file_;  ///< nullptr: UTC.
};

/// The zone of that IANA name ("Europe/Vienna", "UTC"), read from the system's database.
/// kInvalidArgument for a name that is none, with the nearest known one; kUnavailable where there
/// is no database, or the zone's file cannot be read.
Result<TimeZone> FindTimeZone(std::string_view name);

/// The names of all zones that the system's database has, in no order; empty where there is none.
std::vector<std::string> TimeZoneNames();

}  // namespace spillway
