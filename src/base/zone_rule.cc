#include "base/zone_rule.h"

#include <algorithm>
#include <array>

#include "base/civil_day.h"

namespace spillway {
namespace {

constexpr int64_t kHour = 3'600;
constexpr int64_t kDay = 24 * kHour;

bool IsLeap(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int64_t WeekdayOf(int64_t days) {
  constexpr int64_t kThursday = 4;  // 1970-01-01
  return (days % 7 + 7 + kThursday) % 7;
}

/// Takes a rule apart from the front.
class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  std::optional<ZoneRule> Rule() {
    ZoneRule rule;
    if (!Abbreviation(rule.standard.abbreviation) || !Offset(rule.standard.offset))
      return std::nullopt;
    if (rest_.empty()) return rule;
    ZoneRule::Clock daylight{.abbreviation = {}, .offset = rule.standard.offset + kHour};
    if (!Abbreviation(daylight.abbreviation)) return std::nullopt;
    if (!rest_.starts_with(',') && !Offset(daylight.offset)) return std::nullopt;
    rule.daylight = std::move(daylight);
    const bool parsed =
        Accept(',') && Date(rule.daylight_begins) && Accept(',') && Date(rule.daylight_ends);
    return parsed && rest_.empty() ? std::optional(rule) : std::nullopt;
  }

 private:
  bool Accept(char expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool Number(int64_t least, int64_t most, int64_t& value) {
    size_t digits = 0;
    value = 0;
    for (; digits < rest_.size() && '0' <= rest_[digits] && rest_[digits] <= '9'; ++digits) {
      if (digits == 3) return false;
      value = value * 10 + (rest_[digits] - '0');
    }
    rest_.remove_prefix(digits);
    return digits > 0 && least <= value && value <= most;
  }

  bool Number(int64_t least, int64_t most, int& value) {
    int64_t wide = 0;
    if (!Number(least, most, wide)) return false;
    value = static_cast<int>(wide);
    return true;
  }

  bool Abbreviation(std::string& text) {
    constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const bool bracketed = Accept('<');
    const size_t end =
        bracketed ? rest_.find('>') : std::min(rest_.find_first_not_of(kLetters), rest_.size());
    if (end == std::string_view::npos || end < 3) return false;
    text = rest_.substr(0, end);
    rest_.remove_prefix(end + bracketed);
    return true;
  }

  /// `[+-]hh[:mm[:ss]]`
  bool Time(int64_t hours_most, int64_t& seconds) {
    const bool negative = Accept('-');
    if (!negative) Accept('+');
    int64_t hours = 0, minutes = 0, rest = 0;
    if (!Number(0, hours_most, hours)) return false;
    if (Accept(':')) {
      if (!Number(0, 59, minutes)) return false;
      if (Accept(':') && !Number(0, 59, rest)) return false;
    }
    seconds = (negative ? -1 : 1) * (hours * kHour + minutes * 60 + rest);
    return true;
  }

  /// POSIX counts westwards.
  bool Offset(int64_t& offset) {
    int64_t west = 0;
    if (!Time(24, west)) return false;
    offset = -west;
    return true;
  }

  bool Date(ZoneRule::Date& date) {
    using Form = ZoneRule::Date::Form;
    bool parsed = false;
    if (Accept('M')) {
      date.form = Form::kWeekdayOfMonth;
      parsed = Number(1, 12, date.month) && Accept('.') && Number(1, 5, date.week) && Accept('.') &&
               Number(0, 6, date.day);
    } else if (Accept('J')) {
      date.form = Form::kDay;
      parsed = Number(1, 365, date.day);
    } else {
      date.form = Form::kDayWithLeap;
      parsed = Number(0, 365, date.day);
    }
    date.seconds = 2 * kHour;
    return parsed && (!Accept('/') || Time(167, date.seconds));
  }

  std::string_view rest_;
};

}  // namespace

std::optional<ZoneRule> ZoneRule::Parse(std::string_view text) { return Parser(text).Rule(); }

int64_t ZoneRule::Date::In(int64_t year) const {
  const int64_t new_year = DaysOf({.year = year, .month = 1, .day = 1});
  int64_t days = 0;
  switch (form) {
    case Form::kDay:
      days = new_year + day - 1 + (IsLeap(year) && day >= 60);
      break;
    case Form::kDayWithLeap:
      days = new_year + day;
      break;
    case Form::kWeekdayOfMonth: {
      const int64_t first = DaysOf({.year = year, .month = month, .day = 1});
      const int64_t next = month == 12 ? DaysOf({.year = year + 1, .month = 1, .day = 1})
                                       : DaysOf({.year = year, .month = month + 1, .day = 1});
      days = first + (day - WeekdayOf(first) + 7) % 7 + 7 * (week - 1);
      if (days >= next) days -= 7;
      break;
    }
  }
  return days * kDay + seconds;
}

OffsetSpan ZoneRule::SpanAt(date::sys_seconds at) const {
  using std::chrono::seconds;
  if (!daylight) return {.offset = seconds(standard.offset), .abbreviation = standard.abbreviation};
  struct Change {
    int64_t at = 0;
    const Clock* to = nullptr;
  };
  // A change of one year may come in the first or last days of a neighbour.
  std::array<Change, 6> changes;
  const int64_t now = at.time_since_epoch().count();
  const int64_t year = CivilDayOf(FloorDivide(now, kDay)).year;
  for (int i = 0; i < 3; ++i) {
    const int64_t of = year - 1 + i;
    changes[2 * i] = {daylight_ends.In(of) - daylight->offset, &standard};
    changes[2 * i + 1] = {daylight_begins.In(of) - standard.offset, &*daylight};
  }
  // Where daylight time ends as that of the next year begins, it never does: the order is kept.
  std::ranges::stable_sort(changes, {}, &Change::at);
  const auto next = std::ranges::upper_bound(changes, now, {}, &Change::at);
  const Change& last = *std::prev(next);
  return {.begin = date::sys_seconds(seconds(last.at)),
          .end = date::sys_seconds(seconds(next->at)),
          .offset = seconds(last.to->offset),
          .abbreviation = last.to->abbreviation};
}

}  // namespace spillway
