#pragma once

#include "base/error.h"

namespace spillway::cli {

/// What the program's exit says. Stable: scripts rely on it; listed in the manual page.
enum class ExitCode {
  kSuccess = 0,
  kFailed = 1,    ///< The job failed, or all of its items; a check found something; a defect.
  kUsage = 2,     ///< The command line, the configuration or the request is wrong.
  kNotFound = 3,  ///< A named job, organisation or file does not exist.
  kConflict = 4,  ///< It is there already, or too late.
  kCorrupt = 5,   ///< Stored data is damaged, of a kind this version does not know, or such that a
                  ///< query cannot compute with it.
  kPermissionDenied = 6,
  kOutOfSpace = 7,   ///< Disk full, or over a limit.
  kUnavailable = 8,  ///< A system did not answer; try again.
  kRejected = 9,     ///< It is done, but lines were rejected, or some of a job's items failed.
  kCancelled = 130,  ///< Interrupted; nothing half-written is left.
};

ExitCode ExitCodeFor(ErrorCode code);

}  // namespace spillway::cli
