#include "base/figures.h"

#include <array>
#include <string_view>

#include <fmt/format.h>

namespace spillway {
namespace {

std::string Scaled(double value, std::string_view unit_of_one,
                   const std::array<std::string_view, 5>& units) {
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  if (unit == 0) return fmt::format("{:.0f}{}", value, unit_of_one);
  return value < 9.95 ? fmt::format("{:.1f} {}", value, units[unit])
                      : fmt::format("{:.0f} {}", value, units[unit]);
}

}  // namespace

std::string Grouped(int64_t number) {
  std::string digits = std::to_string(number);
  const size_t first = digits.front() == '-' ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string ShortCount(double count) { return Scaled(count, "", {"", "k", "M", "G", "T"}); }

std::string ShortBytes(uint64_t bytes) {
  return Scaled(static_cast<double>(bytes), " B", {"B", "kB", "MB", "GB", "TB"});
}

std::string ShortDuration(std::chrono::milliseconds duration) {
  const int64_t seconds = duration.count() / 1000;
  if (seconds < 10) return fmt::format("{:.1f} s", static_cast<double>(duration.count()) / 1000);
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min {:02} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {:02} min", seconds / 3600, seconds / 60 % 60);
}

}  // namespace spillway
