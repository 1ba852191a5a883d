#include "lake/log/data_file_name.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "storage/key.h"

namespace spillway::lake {
namespace {

constexpr std::string_view kSuffix = ".parquet";
constexpr size_t kWriterDigits = 16;
constexpr size_t kNumberDigits = 6;
constexpr size_t kLabelBytesMax = 32;

bool IsHexDigit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::string FormatDay(int32_t day) {
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

std::string PartitionPrefix(std::string_view organisation, int32_t day) {
  return fmt::format("org={}/day={}/", storage::EscapeKeySegment(organisation), FormatDay(day));
}

std::string DataFileName(std::string_view label, std::string_view writer, int64_t number) {
  std::string readable;
  for (char c : label.substr(0, kLabelBytesMax)) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || IsDigit(c);
    readable += letter ? c : '_';
  }
  return fmt::format("{}-{}-{:0{}}{}", readable, writer, number, kNumberDigits, kSuffix);
}

bool IsDataFileName(std::string_view key) {
  if (!key.starts_with("org=") || !key.ends_with(kSuffix)) return false;
  std::string_view name = key.substr(key.rfind('/') + 1);
  name.remove_suffix(kSuffix.size());
  const size_t number = name.rfind('-');
  if (number == std::string_view::npos || number < kWriterDigits + 1) return false;
  if (name.size() - number - 1 < kNumberDigits) return false;
  const size_t writer = number - kWriterDigits;
  return name[writer - 1] == '-' &&
         std::ranges::all_of(name.substr(writer, kWriterDigits), IsHexDigit) &&
         std::ranges::all_of(name.substr(number + 1), IsDigit);
}

}  // namespace spillway::lake
