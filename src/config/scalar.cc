#include "config/scalar.h"

#include <array>
#include <cctype>
#include <cmath>
#include <limits>
#include <utility>

namespace spillway::config {
namespace {

constexpr std::array<std::pair<std::string_view, int64_t>, 5> kDurationUnits = {
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

constexpr std::array<std::pair<std::string_view, uint64_t>, 10> kSizeUnits = {
    {{"TiB", uint64_t{1} << 40U},
     {"GiB", 1U << 30U},
     {"MiB", 1U << 20U},
     {"KiB", 1U << 10U},
     {"TB", 1'000'000'000'000},
     {"GB", 1'000'000'000},
     {"MB", 1'000'000},
     {"kB", 1000},
     {"B", 1},
     {"", 1}}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::string_view TakeWhile(std::string_view& text, auto condition) {
  size_t count = 0;
  while (count < text.size() && condition(text[count])) ++count;
  const std::string_view taken = text.substr(0, count);
  text.remove_prefix(count);
  return taken;
}

std::string_view Trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

template <class Units>
auto FactorOf(const Units& units, std::string_view unit)
    -> std::optional<typename Units::value_type::second_type> {
  for (const auto& [name, factor] : units) {
    if (name == unit) return factor;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  text = Trimmed(text);
  if (text.empty()) return std::nullopt;
  int64_t total = 0;
  int64_t last_factor = std::numeric_limits<int64_t>::max();
  while (!text.empty()) {
    const auto count = Scalar<int64_t>::Parse(TakeWhile(text, IsDigit));
    const auto factor =
        FactorOf(kDurationUnits, TakeWhile(text, [](char c) { return !IsDigit(c); }));
    int64_t part = 0;
    // From the large units to the small ones, each once.
    if (!count || !factor || *factor >= last_factor ||
        __builtin_mul_overflow(*count, *factor, &part) ||
        __builtin_add_overflow(total, part, &total)) {
      return std::nullopt;
    }
    last_factor = *factor;
  }
  return std::chrono::milliseconds(total);
}

std::string FormatDuration(std::chrono::milliseconds duration) {
  int64_t rest = duration.count();
  if (rest == 0) return "0s";
  std::string text;
  for (const auto& [unit, factor] : kDurationUnits) {
    if (rest < factor) continue;
    text += std::to_string(rest / factor);
    text += unit;
    rest %= factor;
  }
  return text;
}

std::optional<ByteSize> ParseByteSize(std::string_view text) {
  text = Trimmed(text);
  const std::string_view whole = TakeWhile(text, IsDigit);
  std::string_view fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = TakeWhile(text, IsDigit);
    if (fraction.empty() || fraction.size() > 9) return std::nullopt;
  }
  const auto count = Scalar<uint64_t>::Parse(whole);
  const auto factor = FactorOf(kSizeUnits, Trimmed(text));
  uint64_t bytes = 0;
  if (factor == 1 && !fraction.empty()) return std::nullopt;
  if (!count || !factor || __builtin_mul_overflow(*count, *factor, &bytes)) return std::nullopt;
  if (!fraction.empty()) {
    const auto parts = static_cast<double>(*Scalar<uint64_t>::Parse(fraction));
    const double part =
        parts / std::pow(10.0, static_cast<double>(fraction.size())) * static_cast<double>(*factor);
    if (__builtin_add_overflow(bytes, static_cast<uint64_t>(part), &bytes)) return std::nullopt;
  }
  return ByteSize{bytes};
}

std::string FormatByteSize(ByteSize size) {
  for (const auto& [unit, factor] : kSizeUnits) {
    if (unit == "B") break;
    if (size.bytes >= factor && size.bytes % factor == 0) {
      return std::to_string(size.bytes / factor) + " " + std::string(unit);
    }
  }
  return std::to_string(size.bytes);
}

}  // namespace spillway::config
