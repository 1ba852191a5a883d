// For zoneinfo_test.py. Reads lines of zone, begin and end in seconds since 1970, tab-separated;
// answers each with the begins of the spans that begin in between, and their offsets.
#include <iostream>
#include <sstream>
#include <string>

#include "base/time_zone.h"

int main() {
  using std::chrono::seconds;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream fields(line);
    std::string name;
    int64_t begin = 0;
    int64_t end = 0;
    std::getline(fields, name, '\t');
    fields >> begin >> end;
    const auto zone = spillway::FindTimeZone(name);
    if (!zone.has_value()) {
      std::cerr << zone.error().message << "\n";
      return 1;
    }
    date::sys_seconds at{seconds(begin)};
    while (at < date::sys_seconds(seconds(end))) {
      const spillway::OffsetSpan span = zone->SpanAt(at);
      std::cout << at.time_since_epoch().count() << " " << span.offset.count() << " ";
      at = span.end;
    }
    std::cout << "\n";
  }
  return 0;
}
