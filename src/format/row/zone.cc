#include "format/row/zone.h"

#include <limits>

#include <date/tz.h>

#include "base/time_zone.h"

namespace spillway::format {

Result<Zone> Zone::Find(std::string_view name) {
  Zone found;
  found.name_ = name;
  // No need to read the database for the most usual of all.
  if (name != "UTC" && name != "Etc/UTC") found.zone_ = TRY(FindTimeZone(name));
  return found;
}

Zone::Span Zone::SpanAt(int64_t seconds) const {
  if (utc()) return {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(), 0};
  const date::sys_info info = zone_->get_info(date::sys_seconds(std::chrono::seconds(seconds)));
  const int64_t offset = info.offset.count();
  const int64_t minutes = (offset + (offset < 0 ? -30 : 30)) / 60;
  return {info.begin.time_since_epoch().count(), info.end.time_since_epoch().count(), minutes * 60};
}

}  // namespace spillway::format
