// Ticks of random schedules in random zones against an enumeration of every minute, which knows
// nothing of fields to skip or spans of equal offset.
#include <cstdlib>
#include <iostream>
#include <random>
#include <set>

#include <date/date.h>
#include <gtest/gtest.h>

#include "base/time_zone.h"
#include "schedule/cron.h"

namespace spillway::schedule {
namespace {

using std::chrono::minutes;
using LocalMinute = date::local_time<minutes>;

class Chance {
 public:
  explicit Chance(uint64_t seed) : engine_(seed) {}
  int Between(int least, int most) {
    return least + static_cast<int>(engine_() % static_cast<uint64_t>(most - least + 1));
  }
  bool OneIn(int n) { return Between(1, n) == 1; }

 private:
  std::mt19937_64 engine_;
};

/// A field as text, and what it holds.
struct Field {
  std::string text;
  std::set<int> values;
};

Field AnyField(Chance& chance, int least, int most, int values_max) {
  Field field;
  if (chance.OneIn(3)) {
    const int step = chance.OneIn(2) ? 1 : chance.Between(2, std::max(2, (most - least) / 2));
    field.text = step == 1 ? "*" : "*/" + std::to_string(step);
    for (int value = least; value <= most; value += step) field.values.insert(value);
    return field;
  }
  for (int i = chance.Between(1, values_max); i > 0; --i) {
    const int first = chance.Between(least, most);
    const int last = chance.OneIn(2) ? first : chance.Between(first, most);
    if (!field.text.empty()) field.text += ",";
    field.text += std::to_string(first);
    if (last > first) field.text += "-" + std::to_string(last);
    for (int value = first; value <= last; ++value) field.values.insert(value);
  }
  return field;
}

struct Schedule {
  Field minute, hour, day, month, weekday;

  explicit Schedule(Chance& chance)
      : minute(AnyField(chance, 0, 59, 2)),
        hour(AnyField(chance, 0, chance.OneIn(2) ? 3 : 23, 2)),
        day(chance.OneIn(2) ? AnyField(chance, 1, 28, 2) : Star(1, 31)),
        month(Star(1, 12)),
        weekday(chance.OneIn(3) ? AnyField(chance, 0, 6, 2) : Star(0, 6)) {
    // "*" means the whole field, also where the hour was drawn from a part of it.
    if (hour.text == "*") hour = Star(0, 23);
    if (hour.text.starts_with("*/")) {
      const int step = std::stoi(hour.text.substr(2));
      for (int value = 0; value < 24; value += step) hour.values.insert(value);
    }
    if (day.text.starts_with("*/")) {
      const int step = std::stoi(day.text.substr(2));
      for (int value = 1; value <= 31; value += step) day.values.insert(value);
    } else if (day.text == "*") {
      day = Star(1, 31);
    }
  }

  static Field Star(int least, int most) {
    Field field{.text = "*", .values = {}};
    for (int value = least; value <= most; ++value) field.values.insert(value);
    return field;
  }

  std::string text() const {
    return minute.text + " " + hour.text + " " + day.text + " " + month.text + " " + weekday.text;
  }

  bool Fits(LocalMinute local) const {
    const auto midnight = date::floor<date::days>(local);
    const date::year_month_day ymd(midnight);
    const auto time = date::make_time(local - midnight);
    const bool day_fits = day.values.contains(static_cast<int>(static_cast<unsigned>(ymd.day())));
    const bool weekday_fits =
        weekday.values.contains(static_cast<int>(date::weekday(midnight).c_encoding()));
    const bool either = !day.text.starts_with('*') && !weekday.text.starts_with('*');
    return minute.values.contains(static_cast<int>(time.minutes().count())) &&
           hour.values.contains(static_cast<int>(time.hours().count())) &&
           month.values.contains(static_cast<int>(static_cast<unsigned>(ymd.month()))) &&
           (either ? day_fits || weekday_fits : day_fits && weekday_fits);
  }
};

/// Every tick in [begin, end), by looking at each minute.
std::vector<Timestamp> Enumerate(const Schedule& schedule, const TimeZone& zone,
                                 date::sys_time<minutes> begin, date::sys_time<minutes> end) {
  const bool beats = schedule.minute.text.starts_with('*') || schedule.hour.text.starts_with('*');
  std::vector<Timestamp> ticks;
  std::set<LocalMinute> seen;
  const auto before = begin - date::days(2);
  LocalMinute last = date::floor<minutes>(zone.LocalTimeAt(before));
  for (auto at = before; at < end; at += minutes(1)) {
    const LocalMinute local = date::floor<minutes>(zone.LocalTimeAt(at));
    bool due = schedule.Fits(local);
    if (!beats) {
      due = due && seen.insert(local).second;
      for (LocalMinute skipped = last + minutes(1); skipped < local; skipped += minutes(1)) {
        due = due || schedule.Fits(skipped);
      }
    }
    if (due && at >= begin) ticks.emplace_back(at);
    last = local;
  }
  return ticks;
}

std::vector<Timestamp> Ask(const Cron& cron, const TimeZone& zone, date::sys_time<minutes> begin,
                           date::sys_time<minutes> end) {
  std::vector<Timestamp> ticks;
  Timestamp at = Timestamp(begin) - std::chrono::microseconds(1);
  while (const std::optional<Timestamp> next = cron.Next(at, zone)) {
    if (*next >= end) break;
    at = *next;
    ticks.push_back(at);
  }
  return ticks;
}

/// The instants at which the zone's clock changes, 1990 to 2099.
std::vector<date::sys_seconds> Changes(const TimeZone& zone) {
  std::vector<date::sys_seconds> changes;
  date::sys_seconds at = date::sys_days(date::year(1990) / 1 / 1);
  const date::sys_seconds end = date::sys_days(date::year(2100) / 1 / 1);
  while ((at = zone.SpanAt(at).end) < end) changes.push_back(at);
  return changes;
}

TEST(CronDstTest, TicksAreThoseOfAnEnumerationAroundEveryChange) {
  const char* given = std::getenv("SPILLWAY_TEST_SEED");
  const uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device()();
  std::cout << "SPILLWAY_TEST_SEED=" << seed << "\n";
  Chance chance(seed);
  int64_t ticks = 0;
  for (const std::string& name : TimeZoneNames()) {
    const TimeZone zone = *FindTimeZone(name);
    std::vector<date::sys_seconds> around = Changes(zone);
    while (around.size() > 3)
      around.erase(around.begin() + chance.Between(0, static_cast<int>(around.size()) - 1));
    around.push_back(date::sys_days(date::year(1990) / 1 / 1) +
                     std::chrono::hours(chance.Between(0, 110 * 365 * 24)));
    for (const date::sys_seconds change : around) {
      const Schedule schedule(chance);
      const auto begin = date::floor<minutes>(change) - minutes(chance.Between(1, 2'000));
      const auto end = begin + minutes(chance.Between(2'000, 4'000));
      const Result<Cron> cron = Cron::Parse(schedule.text());
      ASSERT_TRUE(cron.has_value()) << schedule.text() << ": " << cron.error().message;
      const auto expected = Enumerate(schedule, zone, begin, end);
      ASSERT_EQ(Ask(*cron, zone, begin, end), expected)
          << schedule.text() << " in " << name << " around " << date::format("%F %T", change);
      ticks += static_cast<int64_t>(expected.size());
    }
  }
  EXPECT_GT(ticks, 0);
}

TEST(CronDstTest, AYearHasEveryTick) {
  const std::pair<std::string, int> cases[] = {{"* * * * *", 365 * 24 * 60},
                                               {"0 * * * *", 365 * 24},
                                               {"30 2 * * *", 365},
                                               {"0 0 * * *", 365}};
  for (const char* name : {"Europe/Berlin", "America/New_York", "America/Santiago",
                           "America/Havana", "Africa/Casablanca", "Asia/Kolkata"}) {
    const TimeZone zone = *FindTimeZone(name);
    const auto year_begins = [&zone](int year) {
      return date::floor<minutes>(zone.FirstInstantOf(date::local_days(date::year(year) / 1 / 1)));
    };
    for (const auto& [text, count] : cases) {
      for (const int year : {2025, 2051}) {
        const auto ticks = Ask(*Cron::Parse(text), zone, year_begins(year), year_begins(year + 1));
        EXPECT_EQ(ticks.size(), count) << text << " in " << name << " in " << year;
      }
    }
  }
}

}  // namespace
}  // namespace spillway::schedule
