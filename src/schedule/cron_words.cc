#include <array>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "schedule/cron.h"

namespace spillway::schedule {
namespace {

constexpr std::array<std::string_view, 13> kMonths = {
    "",     "January", "February",  "March",   "April",    "May",     "June",
    "July", "August",  "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kWeekdays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};

template <size_t kSize>
std::vector<size_t> SetBits(const std::bitset<kSize>& bits) {
  std::vector<size_t> set;
  for (size_t i = 0; i < kSize; ++i) {
    if (bits[i]) set.push_back(i);
  }
  return set;
}

std::string Joined(const std::vector<std::string>& items) {
  std::string text;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) text += i + 1 == items.size() ? " and " : ", ";
    text += items[i];
  }
  return text;
}

/// "1, 5 to 9 and 12".
template <size_t kSize, class NameOf>
std::string Listed(const std::bitset<kSize>& bits, NameOf name_of) {
  std::vector<std::string> items;
  const std::vector<size_t> set = SetBits(bits);
  for (size_t i = 0; i < set.size();) {
    size_t last = i;
    while (last + 1 < set.size() && set[last + 1] == set[last] + 1) ++last;
    if (last < i + 2) last = i;
    std::string item = name_of(set[i]);
    if (last > i) item += " to " + name_of(set[last]);
    items.push_back(std::move(item));
    i = last + 1;
  }
  return Joined(items);
}

std::string Number(size_t value) { return std::to_string(value); }

template <size_t kSize>
auto NameIn(const std::array<std::string_view, kSize>& names) {
  return [&names](size_t value) { return std::string(names[value]); };
}

/// n, if exactly the multiples of n are set; otherwise 0.
template <size_t kSize>
size_t EvenStep(const std::bitset<kSize>& bits) {
  const std::vector<size_t> set = SetBits(bits);
  if (set.size() < 2 || set[0] != 0 || kSize % set[1] != 0) return 0;
  for (size_t i = 0; i < set.size(); ++i) {
    if (set[i] != i * set[1]) return 0;
  }
  return set.size() * set[1] == kSize ? set[1] : 0;
}

std::string TimeInWords(const std::bitset<60>& minutes, const std::bitset<24>& hours) {
  constexpr size_t kTimesListed = 6;
  if (minutes.count() * hours.count() <= kTimesListed) {
    std::vector<std::string> times;
    for (const size_t hour : SetBits(hours)) {
      for (const size_t minute : SetBits(minutes)) {
        times.push_back(fmt::format("{:02}:{:02}", hour, minute));
      }
    }
    return "at " + Joined(times);
  }
  const size_t step = EvenStep(minutes);
  std::string words = step == 1  ? "every minute"
                      : step > 1 ? fmt::format("every {} minutes", step)
                                 : "at minute " + Listed(minutes, Number);
  if (const size_t hour_step = EvenStep(hours); hour_step == 1) {
    if (step == 0) words += " of every hour";
  } else if (hour_step > 1) {
    words += fmt::format(" of every {}th hour from midnight", hour_step);
    if (hour_step < 4) words.replace(words.rfind("th hour"), 2, hour_step == 2 ? "nd" : "rd");
  } else {
    words += " of the hours " + Listed(hours, Number);
  }
  return words;
}

}  // namespace

std::string Cron::InWords() const {
  std::string words = TimeInWords(minutes_, hours_);
  const bool every_day = days_.count() == 31;
  const bool every_weekday = weekdays_.count() == 7;
  const std::string days = "on day " + Listed(days_, Number) + " of the month";
  const std::string weekdays = "on " + Listed(weekdays_, NameIn(kWeekdays));
  const bool both = any_day_ || any_weekday_;
  if (!every_day && !every_weekday) {
    words += " " + days + (both ? ", if that is " + weekdays.substr(3) : " and " + weekdays);
  } else if (!every_day && both) {
    words += " " + days;
  } else if (!every_weekday && both) {
    words += " " + weekdays;
  }
  if (months_.count() < 12) words += " in " + Listed(months_, NameIn(kMonths));
  return words;
}

}  // namespace spillway::schedule
