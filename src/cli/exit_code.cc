#include "cli/exit_code.h"

namespace spillway::cli {

ExitCode ExitCodeFor(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return ExitCode::kUsage;
    case ErrorCode::kNotFound:
      return ExitCode::kNotFound;
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kConflict:
      return ExitCode::kConflict;
    case ErrorCode::kCorrupt:
    case ErrorCode::kUnsupported:
      return ExitCode::kCorrupt;
    case ErrorCode::kPermissionDenied:
      return ExitCode::kPermissionDenied;
    case ErrorCode::kOutOfSpace:
      return ExitCode::kOutOfSpace;
    case ErrorCode::kUnavailable:
      return ExitCode::kUnavailable;
    case ErrorCode::kCancelled:
      return ExitCode::kCancelled;
    case ErrorCode::kInternal:
      return ExitCode::kFailed;
  }
  return ExitCode::kFailed;
}

}  // namespace spillway::cli
