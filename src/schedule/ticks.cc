// For cronsim_test.py. Reads lines of cron, zone, seconds since 1970 and a count, tab-separated;
// answers each with the ticks after that time, in seconds since 1970.
#include <iostream>
#include <sstream>
#include <string>

#include "base/time_zone.h"
#include "schedule/cron.h"

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream fields(line);
    std::string text;
    std::string zone_name;
    int64_t after = 0;
    int count = 0;
    std::getline(fields, text, '\t');
    std::getline(fields, zone_name, '\t');
    fields >> after >> count;
    const auto cron = spillway::schedule::Cron::Parse(text);
    const auto zone = spillway::FindTimeZone(zone_name);
    if (!cron.has_value() || !zone.has_value()) {
      std::cerr << line << ": " << (cron.has_value() ? zone.error().message : cron.error().message)
                << "\n";
      return 1;
    }
    spillway::Timestamp at{std::chrono::seconds(after)};
    for (int i = 0; i < count; ++i) {
      const auto next = cron->Next(at, *zone);
      if (!next) break;
      at = *next;
      std::cout << std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count() << " ";
    }
    std::cout << "\n";
  }
  return 0;
}
