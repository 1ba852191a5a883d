#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "cli/open_data_log.h"

namespace spillway::cli {

/// What runs leave undone, and somebody has to see to.
struct OpenDataRest {
  int64_t failed = 0;            ///< Location-days that failed and were not exported since.
  int64_t waiting = 0;           ///< Those without readings that a recount holds up.
  std::string recounting_since;  ///< Of a recount without an end; empty: there is none.

  /// A line that says so, and what to do; empty: there is nothing to say.
  std::string failed_line() const;
  std::string waiting_line() const;
};

Result<OpenDataRest> LookForRest(LogSession& log);

/// The same, as the reading role.
Result<OpenDataRest> LookForRest(const OpenDataSettings& settings);

}  // namespace spillway::cli
