#pragma once

#include <string_view>

#include "base/error.h"

namespace date {
class time_zone;  // NOLINT(readability-identifier-naming): the library's name.
}

namespace spillway {

/// The IANA time zone of that name ("Europe/Vienna", "UTC") out of the system's database; lives as
/// long as the program. kInvalidArgument for a name that is none, with the nearest known one.
Result<const date::time_zone*> FindTimeZone(std::string_view name);

}  // namespace spillway
