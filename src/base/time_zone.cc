#include "base/time_zone.h"

#include <exception>
#include <string>
#include <vector>

#include <date/tz.h>

#include "base/nearest_name.h"

namespace spillway {
namespace {

std::string Unknown(std::string_view name) {
  std::string message = "unknown time zone \"" + std::string(name) + "\"; ";
  std::vector<std::string> known;
  known.reserve(date::get_tzdb().zones.size());
  for (const date::time_zone& zone : date::get_tzdb().zones) known.push_back(zone.name());
  if (const auto nearest = NearestName(name, known))
    return message + "did you mean " + *nearest + "?";
  return message + "use an IANA name such as Europe/Vienna or UTC";
}

}  // namespace

Result<const date::time_zone*> FindTimeZone(std::string_view name) {
  try {
    // The library opens a file of that name: what is no name must not reach it.
    for (const date::time_zone& zone : date::get_tzdb().zones) {
      if (zone.name() != name) continue;
      // The zone's file is read at its first use; a broken one must fail here.
      zone.get_info(date::sys_seconds{});
      return &zone;
    }
    return Fail(ErrorCode::kInvalidArgument, Unknown(name));
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kUnavailable, std::string("cannot read the system's time zones (") +
                                             error.what() + "); install the package tzdata");
  }
}

}  // namespace spillway
