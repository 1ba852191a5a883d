#include "schedule/cron.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <date/date.h>
#include <fmt/format.h>

#include "schedule/cron_field.h"

namespace spillway::schedule {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kNamed = {{
    {"@hourly", "0 * * * *"},
    {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"},
    {"@monthly", "0 0 1 * *"},
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
}};

/// The longest wait is for 29 February on a given day of the week: 28 years, or 40 around 2100.
constexpr date::years kHorizon{40};

struct Word {
  std::string_view text;
  size_t column = 1;
};

std::vector<Word> Split(std::string_view text) {
  constexpr std::string_view kSpace = " \t";
  std::vector<Word> words;
  for (size_t at = 0; (at = text.find_first_not_of(kSpace, at)) != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(kSpace, at), text.size());
    words.push_back({.text = text.substr(at, end - at), .column = at + 1});
    at = end;
  }
  return words;
}

template <size_t kSize>
std::bitset<kSize> Narrowed(const FieldValues& values) {
  return std::bitset<kSize>(values.to_ullong());
}

/// The first set bit at or after `from`; kSize where there is none.
template <size_t kSize>
size_t NextSet(const std::bitset<kSize>& bits, size_t from) {
  while (from < kSize && !bits[from]) ++from;
  return from;
}

date::local_days FirstOfNextMonth(date::local_days day) {
  const date::year_month_day ymd(day);
  return date::local_days((date::year_month(ymd.year(), ymd.month()) + date::months(1)) / 1);
}

}  // namespace

Result<Cron> Cron::Parse(std::string_view text) {
  std::vector<Word> words = Split(text);
  if (words.size() == 1 && words[0].text.starts_with('@')) {
    const auto* named =
        std::ranges::find(kNamed, words[0].text, &decltype(kNamed)::value_type::first);
    if (named == kNamed.end()) {
      return FailAt(words[0].column, fmt::format("\"{}\" is unknown; use @hourly, @daily, @weekly, "
                                                 "@monthly or @yearly",
                                                 words[0].text.substr(0, 20)));
    }
    words = Split(named->second);
  }
  if (words.size() != 5) {
    return FailAt(words.size() > 5 ? words[5].column : text.size() + 1,
                  fmt::format("there are {} fields; write five: minute, hour, day of the month, "
                              "month, day of the week",
                              words.size()));
  }
  Cron cron;
  cron.text_ = text;
  const auto field = [&words](size_t i, const FieldRange& range) {
    return ParseField(range, words[i].text, words[i].column);
  };
  cron.minutes_ = TRY(field(0, kMinuteField));
  cron.hours_ = Narrowed<24>(TRY(field(1, kHourField)));
  cron.days_ = Narrowed<32>(TRY(field(2, kDayField)));
  cron.months_ = Narrowed<13>(TRY(field(3, kMonthField)));
  cron.weekdays_ = Narrowed<8>(TRY(field(4, kWeekdayField)));
  cron.any_minute_ = words[0].text.starts_with('*');
  cron.any_hour_ = words[1].text.starts_with('*');
  cron.any_day_ = words[2].text.starts_with('*');
  cron.any_weekday_ = words[4].text.starts_with('*');

  const date::local_days start = date::local_days(date::year(2000) / 1 / 1);
  if (!cron.First(start, date::local_days((date::year(2000) + kHorizon) / 1 / 1))) {
    return FailAt(words[2].column, "that day never comes in those months; use one that they have");
  }
  return cron;
}

bool Cron::Fits(date::local_days day) const {
  const date::year_month_day ymd(day);
  if (!months_[static_cast<unsigned>(ymd.month())]) return false;
  const bool day_fits = days_[static_cast<unsigned>(ymd.day())];
  const bool weekday_fits = weekdays_[date::weekday(day).c_encoding()];
  return any_day_ || any_weekday_ ? day_fits && weekday_fits : day_fits || weekday_fits;
}

std::optional<Cron::LocalMinutes> Cron::First(LocalMinutes from, LocalMinutes until) const {
  date::local_days day = date::floor<date::days>(from);
  minutes time = from - day;
  while (day < until) {
    if (!months_[static_cast<unsigned>(date::year_month_day(day).month())]) {
      day = FirstOfNextMonth(day);
      time = minutes(0);
      continue;
    }
    if (Fits(day)) {
      const auto hour = static_cast<size_t>(time / hours(1));
      size_t minute = NextSet(minutes_, static_cast<size_t>(time.count() % 60));
      size_t fitting = NextSet(hours_, hour);
      if (fitting == hour && minute == minutes_.size()) fitting = NextSet(hours_, hour + 1);
      if (fitting != hour) minute = NextSet(minutes_, 0);
      if (fitting < hours_.size()) {
        const LocalMinutes found = day + hours(fitting) + minutes(minute);
        return found < until ? std::optional(found) : std::nullopt;
      }
    }
    day += date::days(1);
    time = minutes(0);
  }
  return std::nullopt;
}

std::optional<Timestamp> Cron::Next(Timestamp after, const TimeZone& zone) const {
  const auto in_minutes = [](auto local) { return date::ceil<minutes>(local); };
  const bool keeps_its_beat = any_minute_ || any_hour_;
  // Ticks are whole seconds; this is the first instant that may be one.
  const date::sys_seconds from = date::floor<seconds>(after) + seconds(1);
  const date::sys_seconds horizon = from + std::chrono::duration_cast<seconds>(kHorizon);
  OffsetSpan span = zone.SpanAt(from);
  // Wall clock times before this one have occurred already, under an earlier offset.
  date::local_seconds covered = date::local_seconds::min();
  if (from - span.begin < date::days(2)) {
    const seconds offset_before = zone.SpanAt(span.begin - seconds(1)).offset;
    covered = date::local_seconds((span.begin + offset_before).time_since_epoch());
  }
  for (date::sys_seconds begin = from; begin < horizon;) {
    const auto local = [&span](date::sys_seconds at) {
      return date::local_seconds((at + span.offset).time_since_epoch());
    };
    const date::sys_seconds end = std::min(span.end, horizon);
    date::local_seconds first = local(begin);
    if (!keeps_its_beat) {
      const bool jumped = begin == span.begin && covered < first;
      if (jumped && First(in_minutes(covered), in_minutes(first))) return begin;
      first = std::max(first, covered);
    }
    if (const auto found = First(in_minutes(first), in_minutes(local(end)))) {
      return date::sys_seconds(found->time_since_epoch()) - span.offset;
    }
    covered = std::max(covered, local(end));
    begin = span.end;
    span = zone.SpanAt(begin);
  }
  return std::nullopt;
}

}  // namespace spillway::schedule
