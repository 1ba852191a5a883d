#include "schedule/cron_field.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

#include <fmt/format.h>

namespace spillway::schedule {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sun", "mon", "tue", "wed",
                                                       "thu", "fri", "sat"};

bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, [](char a, char b) { return (a | 0x20) == b; });
}

/// A number that does not fit an int becomes the largest int.
std::optional<int> ParseNumber(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) value = std::numeric_limits<int>::max();
  if (error == std::errc::invalid_argument || end != text.data() + text.size() ||
      text.starts_with('-')) {
    return std::nullopt;
  }
  return value;
}

std::string Shown(std::string_view text) { return std::string(text.substr(0, 20)); }

/// Reads the items of one field.
class FieldParser {
 public:
  FieldParser(const FieldRange& range, size_t column) : range_(range), column_(column) {}

  Result<> Item(std::string_view item, FieldValues& values) {
    const size_t slash = item.find('/');
    const std::string_view span = item.substr(0, slash);
    int step = 1;
    if (slash != std::string_view::npos) step = TRY(Step(item.substr(slash + 1), slash + 1));
    int first = range_.least;
    int last = range_.most;
    const size_t dash = span.find('-');
    if (dash != std::string_view::npos) {
      first = TRY(Value(span.substr(0, dash), 0));
      last = TRY(Value(span.substr(dash + 1), dash + 1));
      // "fri-sun": Sunday closes the week, too.
      if (range_.most == 7 && last == 0 && first > 0) last = 7;
    } else if (span != "*") {
      first = last = TRY(Value(span, 0));
      if (slash != std::string_view::npos) {
        return FailAt(column_, fmt::format("a step needs a range; write {}-{}/{}", Shown(span),
                                           range_.most, step));
      }
    } else if (range_.most == 7) {
      last = 6;
    }
    if (last < first) {
      return FailAt(column_, fmt::format("the range {} runs backwards; write it as two, {}-{} and "
                                         "{}-{}",
                                         Shown(span), first, range_.most, range_.least, last));
    }
    // A step beyond the field leaves its first value.
    for (int64_t value = first; value <= last; value += step)
      values.set(Index(static_cast<int>(value)));
    return {};
  }

  void Advance(size_t by) { column_ += by; }

 private:
  size_t Index(int value) const {
    return static_cast<size_t>(range_.most == 7 && value == 7 ? 0 : value);
  }

  Result<int> Step(std::string_view text, size_t offset) const {
    const std::optional<int> step = ParseNumber(text);
    if (!step || *step < 1) {
      return FailAt(column_ + offset, fmt::format("\"{}\" is no step of the {}; use 1 or more",
                                                  Shown(text), range_.name));
    }
    return *step;
  }

  Result<int> Value(std::string_view text, size_t offset) const {
    for (size_t i = 0; i < range_.names.size(); ++i) {
      if (EqualsIgnoringCase(text, range_.names[i])) return range_.least + static_cast<int>(i);
    }
    const std::optional<int> value = ParseNumber(text);
    if (!value || *value < range_.least || *value > range_.most) {
      return FailAt(column_ + offset,
                    fmt::format("\"{}\" is no {}; use {} to {}{}", Shown(text), range_.name,
                                range_.least, range_.most,
                                range_.names.empty()
                                    ? ""
                                    : fmt::format(", or a name such as {}", range_.names.front())));
    }
    return *value;
  }

  const FieldRange& range_;
  size_t column_;
};

}  // namespace

const FieldRange kMinuteField{.name = "minute", .least = 0, .most = 59, .names = {}};
const FieldRange kHourField{.name = "hour", .least = 0, .most = 23, .names = {}};
const FieldRange kDayField{.name = "day of the month", .least = 1, .most = 31, .names = {}};
const FieldRange kMonthField{.name = "month", .least = 1, .most = 12, .names = kMonths};
const FieldRange kWeekdayField{
    .name = "day of the week", .least = 0, .most = 7, .names = kWeekdays};

Result<FieldValues> ParseField(const FieldRange& range, std::string_view text, size_t column) {
  FieldValues values;
  FieldParser parser(range, column);
  while (true) {
    const size_t comma = text.find(',');
    TRY(parser.Item(text.substr(0, comma), values));
    if (comma == std::string_view::npos) return values;
    text.remove_prefix(comma + 1);
    parser.Advance(comma + 1);
  }
}

std::unexpected<Error> FailAt(size_t column, const std::string& problem) {
  return Fail(ErrorCode::kInvalidArgument, fmt::format("column {}: {}", column, problem));
}

}  // namespace spillway::schedule
