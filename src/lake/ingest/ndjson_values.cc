#include "lake/ingest/ndjson_values.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "lake/lake.h"

namespace spillway::lake {
namespace {

constexpr int kDigitsMax = 38;  // Of an __int128 and of decimal128.
constexpr size_t kQuotedBytesMax = 64;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::string Quoted(std::string_view token) {
  if (token.size() <= kQuotedBytesMax) return std::string(token);
  return std::string(token.substr(0, kQuotedBytesMax)) + "…";
}

/// The parts of a JSON number (RFC 8259, section 6).
struct NumberParts {
  bool negative = false;
  std::string_view whole;
  std::string_view fraction;
  int exponent = 0;
  bool has_exponent = false;
};

std::string_view TakeDigits(std::string_view& rest) {
  size_t count = 0;
  while (count < rest.size() && IsDigit(rest[count])) ++count;
  const std::string_view digits = rest.substr(0, count);
  rest.remove_prefix(count);
  return digits;
}

std::optional<NumberParts> Split(std::string_view rest) {
  NumberParts parts;
  if (rest.starts_with('-')) {
    parts.negative = true;
    rest.remove_prefix(1);
  }
  parts.whole = TakeDigits(rest);
  if (parts.whole.empty() || (parts.whole.size() > 1 && parts.whole[0] == '0')) return std::nullopt;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    parts.fraction = TakeDigits(rest);
    if (parts.fraction.empty()) return std::nullopt;
  }
  if (rest.starts_with('e') || rest.starts_with('E')) {
    rest.remove_prefix(1);
    parts.has_exponent = true;
    const bool down = rest.starts_with('-');
    if (down || rest.starts_with('+')) rest.remove_prefix(1);
    const std::string_view digits = TakeDigits(rest);
    if (digits.empty()) return std::nullopt;
    constexpr int kExponentMax = 100'000;
    for (char c : digits) {
      parts.exponent = std::min(parts.exponent * 10 + (c - '0'), kExponentMax);
    }
    if (down) parts.exponent = -parts.exponent;
  }
  if (!rest.empty()) return std::nullopt;
  return parts;
}

std::unexpected<std::string> NotANumber(std::string_view token) {
  return std::unexpected(Quoted(token) + " is not a JSON number");
}

/// Collects decimal digits into an integer of at most kDigitsMax digits.
class DigitSum {
 public:
  bool Add(char digit) {
    if (value_ == 0 && digit == '0') return true;
    if (++digits_ > kDigitsMax) return false;
    value_ = value_ * 10 + (digit - '0');
    return true;
  }
  int digits() const { return digits_; }
  __int128 value() const { return value_; }

 private:
  __int128 value_ = 0;
  int digits_ = 0;
};

enum class Scaled { kExact, kTooLarge, kTooFine };

/// The number times 10^scale.
Scaled Scale(const NumberParts& parts, int scale, DigitSum& sum) {
  const int64_t shift = int64_t{parts.exponent} + scale;
  const auto point = static_cast<int64_t>(parts.whole.size()) + shift;
  const auto given = static_cast<int64_t>(parts.whole.size() + parts.fraction.size());
  const auto digit = [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    return at < parts.whole.size() ? parts.whole[at] : parts.fraction[at - parts.whole.size()];
  };
  for (int64_t i = std::max<int64_t>(point, 0); i < given; ++i) {
    if (digit(i) != '0') return Scaled::kTooFine;
  }
  for (int64_t i = 0; i < std::min(point, given); ++i) {
    if (!sum.Add(digit(i))) return Scaled::kTooLarge;
  }
  if (sum.value() == 0) return Scaled::kExact;
  for (int64_t i = given; i < point; ++i) {
    if (!sum.Add('0')) return Scaled::kTooLarge;
  }
  return Scaled::kExact;
}

/// Digits of fixed width, or -1.
int Fixed(std::string_view text, size_t at, size_t width) {
  if (at + width > text.size()) return -1;
  int value = 0;
  for (size_t i = at; i < at + width; ++i) {
    if (!IsDigit(text[i])) return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

std::unexpected<std::string> NotATime(std::string_view text) {
  return std::unexpected(fmt::format(
      "{:?} is not an RFC 3339 time such as 2026-01-31T23:59:59.5+02:00", Quoted(text)));
}

std::optional<int> OffsetMinutes(std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (text == "Z" || text == "z") return 0;
  if (text[0] != '+' && text[0] != '-') return std::nullopt;
  const int hours = Fixed(text, 1, 2);
  int minutes = 0;
  if (text.size() > 3) {
    const size_t at = text[3] == ':' ? 4 : 3;
    minutes = Fixed(text, at, 2);
    if (text.size() != at + 2) return std::nullopt;
  }
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  return (text[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
}

constexpr size_t kMicrosDigits = 6;

/// Microseconds of the digits after the point; nullopt when digits below the microsecond are not
/// zero.
std::optional<int> FractionMicros(std::string_view digits) {
  int micros = 0;
  for (size_t i = 0; i < kMicrosDigits; ++i) {
    micros = micros * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  }
  if (digits.find_first_not_of('0', kMicrosDigits) != std::string_view::npos) return std::nullopt;
  return micros;
}

}  // namespace

ValueOr<int64_t> ParseTime(std::string_view text) {
  constexpr size_t kSecondsEnd = 19;
  const int year = Fixed(text, 0, 4);
  const int month = Fixed(text, 5, 2);
  const int day = Fixed(text, 8, 2);
  const int hour = Fixed(text, 11, 2);
  const int minute = Fixed(text, 14, 2);
  const int second = Fixed(text, 17, 2);
  if (year < 0 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0 ||
      minute > 59 || second < 0 || second > 60 || text[4] != '-' || text[7] != '-' ||
      text[13] != ':' || text[16] != ':' ||
      (text[10] != 'T' && text[10] != 't' && text[10] != ' ')) {
    return NotATime(text);
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return NotATime(text);

  std::string_view rest = text.substr(kSecondsEnd);
  int micros = 0;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    const std::string_view digits = TakeDigits(rest);
    if (digits.empty()) return NotATime(text);
    const auto fraction = FractionMicros(digits);
    if (!fraction) {
      return std::unexpected(fmt::format("{:?} is finer than a microsecond", Quoted(text)));
    }
    micros = *fraction;
  }
  const auto offset = OffsetMinutes(rest);
  if (!offset) {
    if (rest.empty()) {
      return std::unexpected(
          fmt::format("{:?} has no offset: add Z or one such as +02:00", Quoted(text)));
    }
    return NotATime(text);
  }
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const int64_t seconds = ((days * 24 + hour) * 60 + minute - *offset) * 60 + second;
  const int64_t time = seconds * 1'000'000 + micros;
  const Timestamp instant{std::chrono::microseconds(time)};
  if (instant < kTimeMin || instant > kTimeMax) {
    return std::unexpected(fmt::format("{:?} is outside the years 1 to 9999 of UTC", Quoted(text)));
  }
  return time;
}

ValueOr<int64_t> ParseDate(std::string_view text) {
  constexpr size_t kBytes = 10;
  const int year = Fixed(text, 0, 4);
  const int month = Fixed(text, 5, 2);
  const int day = Fixed(text, 8, 2);
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (text.size() != kBytes || year < 1 || month < 1 || day < 1 || text[4] != '-' ||
      text[7] != '-' || !date.ok()) {
    return std::unexpected(fmt::format("{:?} is not a date such as 2026-01-31", Quoted(text)));
  }
  return std::chrono::sys_days(date).time_since_epoch().count();
}

ValueOr<int64_t> ParseInt64(std::string_view token) {
  int64_t value = 0;
  const auto parts = Split(token);
  if (!parts) return NotANumber(token);
  if (parts->fraction.empty() && !parts->has_exponent) {
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
    if (error == std::errc()) return value;
  } else {
    DigitSum sum;
    const Scaled scaled = Scale(*parts, 0, sum);
    if (scaled == Scaled::kTooFine) {
      return std::unexpected(Quoted(token) + " is not a whole number");
    }
    const __int128 exact = parts->negative ? -sum.value() : sum.value();
    if (scaled == Scaled::kExact && exact >= std::numeric_limits<int64_t>::min() &&
        exact <= std::numeric_limits<int64_t>::max()) {
      return static_cast<int64_t>(exact);
    }
  }
  return std::unexpected(Quoted(token) + " does not fit 64 bits");
}

ValueOr<__int128> ParseDecimal(std::string_view token, int precision, int scale) {
  const auto parts = Split(token);
  if (!parts) return NotANumber(token);
  DigitSum sum;
  const Scaled scaled = Scale(*parts, scale, sum);
  if (scaled == Scaled::kTooFine) {
    return std::unexpected(
        fmt::format("{} has more than {} digits after the point", Quoted(token), scale));
  }
  if (scaled == Scaled::kTooLarge || sum.digits() > precision) {
    return std::unexpected(
        fmt::format("{} does not fit decimal({},{})", Quoted(token), precision, scale));
  }
  return parts->negative ? -sum.value() : sum.value();
}

ValueOr<double> ParseDouble(std::string_view token) {
  constexpr double kExactMax = 9007199254740992.0;  // 2^53
  const auto parts = Split(token);
  if (!parts) return NotANumber(token);
  double value = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  if (error != std::errc()) {
    return std::unexpected(Quoted(token) + " is out of the range of a double");
  }
  if (std::abs(value) >= kExactMax && !parts->has_exponent) {
    DigitSum sum;
    const bool exact = Scale(*parts, 0, sum) == Scaled::kExact &&
                       static_cast<__int128>(std::abs(value)) == sum.value();
    if (!exact) {
      return std::unexpected(Quoted(token) +
                             " is beyond 2^53 and no double: make the column decimal or string");
    }
  }
  return value;
}

}  // namespace spillway::lake
