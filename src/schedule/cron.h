#pragma once

#include <bitset>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <date/date.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/time_zone.h"

namespace spillway::schedule {

/// When something is due, in the language of Vixie's cron (crontab(5) of cronie and Debian):
/// minute, hour, day of the month, month, day of the week. Each is `*` or a list of numbers, names
/// (jan, mon) and ranges, with steps (`*/15`, `9-17/2`). `@hourly @daily @weekly @monthly @yearly`
/// are accepted too. Where neither day field begins with `*`, a day has to fit only one of them.
class Cron {
 public:
  /// kInvalidArgument: one line that says where (`column 3`) and what to write. Also for a date
  /// that never comes.
  static Result<Cron> Parse(std::string_view text);

  /// The first tick after `after`, by the wall clock of `zone`; nullopt if there is none within 40
  /// years. When the clock changes:
  /// - A time that is skipped is due once, at the end of the gap; a time that comes twice is due
  ///   the first time.
  /// - A schedule whose minute or hour begins with `*` is due at every real minute whose wall clock
  ///   time fits.
  std::optional<Timestamp> Next(Timestamp after, const TimeZone& zone) const;

  /// "at 03:00 on Monday".
  std::string InWords() const;

  /// As it was given.
  const std::string& text() const { return text_; }

 private:
  using LocalMinutes = date::local_time<std::chrono::minutes>;

  bool Fits(date::local_days day) const;
  /// The first wall clock minute in [from, until) that fits.
  std::optional<LocalMinutes> First(LocalMinutes from, LocalMinutes until) const;

  std::string text_;
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<8> weekdays_;  ///< Of which 0 and 7 are both Sunday.
  bool any_minute_ = false;  ///< The field begins with `*`; so below.
  bool any_hour_ = false;
  bool any_day_ = false;
  bool any_weekday_ = false;
};

}  // namespace spillway::schedule
