#include "request/time_range.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string_view>

#include <date/date.h>

#include "base/time_zone.h"

namespace spillway::request {
namespace {

using std::chrono::microseconds;

template <class T>
using Read = std::expected<T, Problem>;

constexpr std::string_view kForms =
    "use a day (2025-01-31), a time (2025-01-31T13:05), an instant (2025-01-31T13:05:00+01:00) or "
    "a word such as yesterday or last-month";

/// What was read, before a zone is applied.
struct Moment {
  date::year_month_day day;
  microseconds time_of_day{0};
  bool has_time = false;
  std::optional<std::chrono::minutes> offset;  ///< From UTC; absent for wall clock times.
};

/// Days that a word stands for.
struct Period {
  date::local_days begin, end;
};

std::optional<Period> PeriodOf(std::string_view word, date::local_days today) {
  const date::year_month_day ymd(today);
  const date::local_days monday = today - (date::weekday(today) - date::Monday);
  const auto month = [&](int offset) {
    return date::local_days((date::year_month(ymd.year(), ymd.month()) + date::months(offset)) / 1);
  };
  const auto year = [&](int offset) {
    return date::local_days((ymd.year() + date::years(offset)) / 1 / 1);
  };
  const date::days day(1);
  const date::weeks week(1);
  if (word == "today") return Period{today, today + day};
  if (word == "yesterday") return Period{today - day, today};
  if (word == "this-week") return Period{monday, monday + week};
  if (word == "last-week") return Period{monday - week, monday};
  if (word == "this-month") return Period{month(0), month(1)};
  if (word == "last-month") return Period{month(-1), month(0)};
  if (word == "this-year") return Period{year(0), year(1)};
  if (word == "last-year") return Period{year(-1), year(0)};
  constexpr std::string_view kDaysAgo = "today-";
  if (!word.starts_with(kDaysAgo) || !word.ends_with('d')) return std::nullopt;
  word = word.substr(kDaysAgo.size(), word.size() - kDaysAgo.size() - 1);
  int days = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), days);
  if (error != std::errc() || end != word.data() + word.size() || days < 0 || days > 36'525) {
    return std::nullopt;
  }
  return Period{today - date::days(days), today - date::days(days - 1)};
}

/// Takes text apart from the front; every step fails once one has failed.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  int Digits(size_t count) {
    int value = 0;
    if (rest_.size() < count) return Fail();
    for (; count > 0; --count) {
      if (rest_[0] < '0' || rest_[0] > '9') return Fail();
      value = value * 10 + (rest_[0] - '0');
      rest_.remove_prefix(1);
    }
    return value;
  }

  bool Accept(std::string_view any_of) {
    if (rest_.empty() || any_of.find(rest_[0]) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void Expect(std::string_view any_of) {
    if (!Accept(any_of)) failed_ = true;
  }

  /// The digits after a decimal point, as microseconds, rounded up: messages have whole ones, so
  /// that no message lies between the instant and what it is rounded to.
  microseconds Fraction() {
    int64_t micros = 0;
    int64_t unit = 1'000'000;
    bool finer = false;
    const size_t digits = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    if (digits == 0) failed_ = true;
    for (const char digit : rest_.substr(0, digits)) {
      unit /= 10;
      micros += (digit - '0') * unit;
      finer |= unit == 0 && digit != '0';
    }
    rest_.remove_prefix(digits);
    return microseconds(micros + (finer ? 1 : 0));
  }

  char Next() const { return rest_.empty() ? '\0' : rest_[0]; }
  bool Done() const { return rest_.empty() && !failed_; }

 private:
  int Fail() {
    failed_ = true;
    return 0;
  }

  std::string_view rest_;
  bool failed_ = false;
};

microseconds ScanTimeOfDay(Scanner& scanner, bool& in_range) {
  const int hour = scanner.Digits(2);
  scanner.Expect(":");
  const int minute = scanner.Digits(2);
  microseconds time = std::chrono::hours(hour) + std::chrono::minutes(minute);
  int second = 0;
  if (scanner.Accept(":")) {
    second = scanner.Digits(2);
    time += std::chrono::seconds(second);
    if (scanner.Accept(".,")) time += scanner.Fraction();
  }
  in_range = in_range && hour < 24 && minute < 60 && second < 60;
  return time;
}

std::optional<std::chrono::minutes> ScanOffset(Scanner& scanner, bool& in_range) {
  if (scanner.Accept("Zz")) return std::chrono::minutes(0);
  const char sign = scanner.Next();
  if (!scanner.Accept("+-")) return std::nullopt;
  const int hours = scanner.Digits(2);
  scanner.Expect(":");
  const int minutes = scanner.Digits(2);
  in_range = in_range && hours < 24 && minutes < 60;
  return std::chrono::minutes((sign == '-' ? -1 : 1) * (hours * 60 + minutes));
}

std::unexpected<Problem> Wrong(std::string_view field, std::string message) {
  return std::unexpected(Problem{std::string(field), std::move(message)});
}

Read<Moment> ParseMoment(std::string_view field, std::string_view text) {
  const auto wrong = [&](std::string_view what, std::string_view remedy) {
    return Wrong(field, "\"" + std::string(text.substr(0, 60)) + "\" " + std::string(what) + "; " +
                            std::string(remedy));
  };
  Scanner scanner(text);
  Moment moment;
  bool in_range = true;
  const int year = scanner.Digits(4);
  scanner.Expect("-");
  const int month = scanner.Digits(2);
  scanner.Expect("-");
  const int day = scanner.Digits(2);
  moment.day = date::year(year) / month / day;
  if (scanner.Accept("Tt ")) {
    moment.has_time = true;
    moment.time_of_day = ScanTimeOfDay(scanner, in_range);
    moment.offset = ScanOffset(scanner, in_range);
  }
  if (!scanner.Done()) return wrong("is no time", kForms);
  if (!moment.day.ok()) {
    const bool month_ok = month >= 1 && month <= 12;
    if (!month_ok || day == 0 || day > 31) return wrong("is no day of the calendar", kForms);
    const auto last = date::year(year) / date::month(static_cast<unsigned>(month)) / date::last;
    return wrong("is no day of the calendar",
                 "that month ends on " + date::format("%F", date::sys_days(last)));
  }
  if (!in_range) return wrong("is no time of the day", "hours go to 23, minutes and seconds to 59");
  return moment;
}

/// The instant of a wall clock time: the first of two, or the end of the gap it falls into.
Timestamp InstantOf(const Moment& moment, const TimeZone& zone) {
  const TimeZone::LocalTime local = date::local_days(moment.day) + moment.time_of_day;
  return moment.offset ? Timestamp(local.time_since_epoch() - *moment.offset)
                       : zone.FirstInstantOf(local);
}

Timestamp BeginningOf(date::local_days day, const TimeZone& zone) {
  return InstantOf({.day = date::year_month_day(day), .offset = std::nullopt}, zone);
}

/// The clock that times are relative to.
struct LocalClock {
  const TimeZone& zone;
  Timestamp now;

  date::local_days today() const { return date::floor<date::days>(zone.LocalTimeAt(now)); }
};

Read<Timestamp> ParseInstant(std::string_view field, std::string_view text,
                             const LocalClock& clock) {
  if (text == "now") return clock.now;
  if (const auto period = PeriodOf(text, clock.today())) {
    return BeginningOf(period->begin, clock.zone);
  }
  return InstantOf(TRY(ParseMoment(field, text)), clock.zone);
}

/// The beginning of the day after the last one.
Read<Timestamp> EndOfDay(std::string_view text, const LocalClock& clock) {
  if (const auto period = PeriodOf(text, clock.today())) {
    return BeginningOf(period->end, clock.zone);
  }
  Moment moment = TRY(ParseMoment("through", text));
  if (moment.has_time) {
    return Wrong("through", "\"" + std::string(text.substr(0, 60)) +
                                "\" has a time; use a day, or to for a time");
  }
  moment.day = date::year_month_day(date::sys_days(moment.day) + date::days(1));
  return InstantOf(moment, clock.zone);
}

/// Whether it is a day that the zone never had, as where it crossed the date line.
bool IsSkipped(std::string_view text, const LocalClock& clock) {
  const Read<Timestamp> begin = ParseInstant("from", text, clock);
  const Read<Timestamp> end = EndOfDay(text, clock);
  return begin.has_value() && end.has_value() && *begin == *end;
}

}  // namespace

std::expected<TimeRange, Problem> ParseTimeRange(const TimeRangeText& text) {
  const auto zone = FindTimeZone(text.time_zone);
  if (!zone.has_value()) return Wrong("time_zone", "names an " + zone.error().message);
  if (text.to.has_value() && text.through.has_value()) {
    return Wrong("through",
                 "stands beside to; use to for the first instant that no longer belongs to the "
                 "range, or through for its last day");
  }
  if (!text.to.has_value() && !text.through.has_value()) {
    return Wrong("to", "is missing; give to (exclusive), or through (a last day)");
  }
  TimeRange range;
  const LocalClock clock{.zone = *zone, .now = text.now};
  range.begin = TRY(ParseInstant("from", text.from, clock));
  range.end =
      text.to ? TRY(ParseInstant("to", *text.to, clock)) : TRY(EndOfDay(*text.through, clock));
  if (range.end > range.begin) return range;
  for (const std::string& day : {text.from, text.through.value_or(text.from)}) {
    if (!IsSkipped(day, clock)) continue;
    return Wrong("from", "leaves an empty range, for there was no " + day + " in " +
                             text.time_zone + ", whose clocks went past it; use other days");
  }
  const std::string_view end = text.to ? "to" : "through";
  const std::string& end_text = text.to ? *text.to : *text.through;
  if (range.end < range.begin || text.through) {
    return Wrong(end, "\"" + end_text + "\" is before from \"" + text.from + "\"; exchange them");
  }
  return Wrong(end, "\"" + end_text +
                        "\" leaves nothing: it is exclusive and equals from; use a later one, or "
                        "through " +
                        text.from.substr(0, 10) + " for the whole day");
}

}  // namespace spillway::request
