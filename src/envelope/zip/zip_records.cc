#include "envelope/zip/zip_records.h"

#include <chrono>

namespace spillway::envelope {

uint32_t ZipTime(Timestamp time) {
  using std::chrono::days, std::chrono::floor, std::chrono::seconds;
  const auto day = floor<days>(time);
  const std::chrono::year_month_day date(day);
  const int year = static_cast<int>(date.year());
  if (year < 1980) return 1u << 21 | 1u << 16;
  if (year > 2107) return 127u << 25 | 12u << 21 | 31u << 16 | 23u << 11 | 59u << 5 | 29u;
  const auto second = static_cast<uint32_t>(floor<seconds>(time - day).count());
  return static_cast<uint32_t>(year - 1980) << 25 | static_cast<unsigned>(date.month()) << 21 |
         static_cast<unsigned>(date.day()) << 16 | second / 3600 << 11 | second / 60 % 60 << 5 |
         second % 60 / 2;
}

}  // namespace spillway::envelope
