#include "format/row/zone.h"

namespace spillway::format {

Result<Zone> Zone::Find(std::string_view name, UtcForm utc) {
  Zone found;
  found.name_ = name;
  const bool is_utc = name == "UTC" || name == "Etc/UTC";
  if (!is_utc) found.zone_ = TRY(FindTimeZone(name));
  found.is_z_ = is_utc && utc == UtcForm::kZ;
  return found;
}

Zone::Span Zone::SpanAt(int64_t seconds) const {
  const OffsetSpan span = zone_.SpanAt(date::sys_seconds(std::chrono::seconds(seconds)));
  const int64_t offset = span.offset.count();
  const int64_t minutes = (offset + (offset < 0 ? -30 : 30)) / 60;
  return {span.begin.time_since_epoch().count(), span.end.time_since_epoch().count(), minutes * 60};
}

}  // namespace spillway::format
