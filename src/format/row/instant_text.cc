#include "format/row/instant_text.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "base/civil_day.h"

namespace spillway::format {
namespace {

constexpr int64_t kYearMax = 999'999'999;
constexpr int64_t kFirstDay = DaysOf({.year = -kYearMax, .month = 1, .day = 1});
constexpr int64_t kLastDay = DaysOf({.year = kYearMax, .month = 12, .day = 31});
constexpr int64_t kSecondsOfDay = 86'400;

char* WriteTwoDigits(int64_t value, char* out) {
  *out++ = static_cast<char>('0' + value / 10);
  *out++ = static_cast<char>('0' + value % 10);
  return out;
}

/// Four digits; more of them, and negative ones, with a sign.
char* WriteYear(int64_t year, char* out) {
  if (year < 0 || year > 9'999) *out++ = year < 0 ? '-' : '+';
  year = std::abs(year);
  char digits[9];
  char* const end = digits + sizeof(digits);
  char* first = end;
  for (; year > 0 || end - first < 4; year /= 10) *--first = static_cast<char>('0' + year % 10);
  return std::copy(first, end, out);
}

}  // namespace

InstantText::InstantText(const Zone* zone, int64_t units_per_second, bool quoted)
    : zone_(zone),
      units_per_second_(units_per_second),
      day_(std::numeric_limits<int64_t>::min()),
      quoted_(quoted) {
  prefix_[0] = '"';
}

bool InstantText::MoveToDay(int64_t days) {
  if (days < kFirstDay || days > kLastDay) return false;
  const CivilDay civil = CivilDayOf(days);
  char* out = WriteYear(civil.year, prefix_ + quoted_);
  *out++ = '-';
  out = WriteTwoDigits(civil.month, out);
  *out++ = '-';
  out = WriteTwoDigits(civil.day, out);
  date_bytes_ = static_cast<uint8_t>(out - prefix_);
  day_ = days;
  minute_units_ = 0;
  return true;
}

bool InstantText::MoveTo(int64_t value) {
  const int64_t seconds = FloorDivide(value, units_per_second_);
  if (seconds < (kFirstDay - 1) * kSecondsOfDay || seconds > (kLastDay + 2) * kSecondsOfDay)
    return false;
  if (seconds < span_.begin || seconds >= span_.end) {
    span_ = zone_ != nullptr ? zone_->SpanAt(seconds)
                             : Zone::Span{std::numeric_limits<int64_t>::min(),
                                          std::numeric_limits<int64_t>::max(), 0};
  }
  const int64_t local = seconds + span_.offset;
  const int64_t day = FloorDivide(local, kSecondsOfDay);
  if (day != day_ && !MoveToDay(day)) return false;
  const int64_t of_day = local - day * kSecondsOfDay;
  const int64_t of_minute = of_day % 60;

  char* out = prefix_ + date_bytes_;
  *out++ = 'T';
  out = WriteTwoDigits(of_day / 3600, out);
  *out++ = ':';
  out = WriteTwoDigits(of_day / 60 % 60, out);
  *out++ = ':';
  prefix_bytes_ = static_cast<uint8_t>(out - prefix_);

  out = suffix_;
  if (zone_ != nullptr && zone_->is_z()) {
    *out++ = 'Z';
  } else if (zone_ != nullptr) {
    const int64_t minutes = span_.offset / 60;
    *out++ = minutes < 0 ? '-' : '+';
    out = WriteTwoDigits((minutes < 0 ? -minutes : minutes) / 60, out);
    *out++ = ':';
    out = WriteTwoDigits((minutes < 0 ? -minutes : minutes) % 60, out);
  }
  if (quoted_) *out++ = '"';
  suffix_bytes_ = static_cast<uint8_t>(out - suffix_);

  // The minute is kept when the offset holds for all of it, and all of it can be stored.
  const int64_t minute = seconds - of_minute;
  int64_t first, last;
  const bool whole = minute >= span_.begin && minute + 60 <= span_.end &&
                     !__builtin_mul_overflow(minute, units_per_second_, &first) &&
                     !__builtin_mul_overflow(minute + 60, units_per_second_, &last);
  minute_begin_ = static_cast<uint64_t>(minute) * static_cast<uint64_t>(units_per_second_);
  minute_units_ = whole ? 60 * static_cast<uint64_t>(units_per_second_) : 0;
  return true;
}

}  // namespace spillway::format
