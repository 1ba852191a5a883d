#include "recipe/message_export/file_names.h"

#include <date/date.h>

namespace spillway::recipe {

std::string RangeName(TimeRange range, const TimeZone& zone) {
  const auto begin = zone.LocalTimeAt(range.begin);
  const auto end = zone.LocalTimeAt(range.end);
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

std::string DayName(Timestamp instant, const TimeZone& zone) {
  return date::format("%F", date::floor<date::days>(zone.LocalTimeAt(instant)));
}

}  // namespace spillway::recipe
