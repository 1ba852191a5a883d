#pragma once

#include <cstdint>

namespace spillway {

/// A day of the proleptic Gregorian calendar. Year 0 is 1 BC. (date::year ends at 32767.)
struct CivilDay {
  int64_t year = 1970;
  int month = 1;
  int day = 1;
};

constexpr int64_t FloorDivide(int64_t value, int64_t divisor) {
  return value / divisor - (value % divisor < 0);
}

/// The day that is `days` after 1970-01-01, for years of up to 12 digits. By the algorithm
/// civil_from_days of howardhinnant.github.io/date_algorithms.html.
constexpr CivilDay CivilDayOf(int64_t days) {
  days += 719'468;  // Counted from 0000-03-01: a leap day is the last of its year.
  const int64_t era = FloorDivide(days, 146'097);
  const int64_t of_era = days - era * 146'097;
  const int64_t year_of_era = (of_era - of_era / 1'460 + of_era / 36'524 - of_era / 146'096) / 365;
  const int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const auto march_based = static_cast<int>((5 * of_year + 2) / 153);
  const int month = march_based < 10 ? march_based + 3 : march_based - 9;
  return {.year = year_of_era + era * 400 + (month <= 2),
          .month = month,
          .day = static_cast<int>(of_year) - (153 * march_based + 2) / 5 + 1};
}

/// Days from 1970-01-01 to that day; days_from_civil of the same source.
constexpr int64_t DaysOf(CivilDay civil) {
  const int64_t year = civil.year - (civil.month <= 2);
  const int64_t era = FloorDivide(year, 400);
  const int64_t year_of_era = year - era * 400;
  const int64_t of_year =
      (153 * (civil.month + (civil.month > 2 ? -3 : 9)) + 2) / 5 + civil.day - 1;
  const int64_t of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
  return era * 146'097 + of_era - 719'468;
}

}  // namespace spillway
