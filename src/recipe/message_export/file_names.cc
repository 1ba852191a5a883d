#include "recipe/message_export/file_names.h"

#include <date/tz.h>

#include "base/time_zone.h"

namespace spillway::recipe {

Result<std::string> RangeName(lake::TimeRange range, std::string_view time_zone) {
  const date::time_zone* zone = TRY(FindTimeZone(time_zone));
  const auto begin = zone->to_local(range.begin);
  const auto end = zone->to_local(range.end);
  const auto first_day = date::floor<date::days>(begin);
  const auto end_day = date::floor<date::days>(end);
  if (begin == first_day && end == end_day) {
    return date::format("%F", first_day) + "_" + date::format("%F", end_day - date::days{1});
  }
  const auto minutes = [](auto time) {
    return date::format("%FT%H%M", date::floor<std::chrono::minutes>(time));
  };
  return minutes(begin) + "_" + minutes(end);
}

Result<std::string> DayName(Timestamp instant, std::string_view time_zone) {
  const date::time_zone* zone = TRY(FindTimeZone(time_zone));
  return date::format("%F", date::floor<date::days>(zone->to_local(instant)));
}

}  // namespace spillway::recipe
