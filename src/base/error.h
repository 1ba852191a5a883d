#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spillway {

/// The kind of a failure. The exit code follows from it.
enum class ErrorCode {
  kInvalidArgument,   ///< The request or the configuration is wrong; the same request fails again.
  kNotFound,          ///< A named thing (job, organisation, object) does not exist.
  kAlreadyExists,     ///< A create-if-absent found the thing there.
  kConflict,          ///< A condition no longer holds: a lease was lost, a version moved on.
  kPermissionDenied,  ///< The system refused access.
  kOutOfSpace,        ///< Disk, quota or a configured limit is exhausted.
  kUnavailable,       ///< A dependency does not answer now; worth a retry.
  kCancelled,         ///< Somebody asked to stop.
  kCorrupt,           ///< The stored data is not what it should be.
  kUnsupported,       ///< The thing exists, but not in this form (newer schema, unknown codec).
  kInternal,          ///< A defect of Spillway itself.
};

/// The stable lower-case name of a code, as it stands in records, JSON and logs
/// ("invalid_argument").
std::string_view Name(ErrorCode code);

/// The inverse of Name; kInternal for a name that is none.
ErrorCode ErrorCodeFromName(std::string_view name);

/// One failure, told in one line: what, where and what to do. `message` holds no secret.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  /// True where the same attempt may succeed later (E5).
  bool retryable = false;
  /// True when nothing was started, because only another process can do the work. It is no attempt.
  bool elsewhere = false;
  /// The earliest time for a retry that the other side asked for (`Retry-After`).
  std::optional<std::chrono::milliseconds> retry_after;

  /// The same error with `prefix: ` before its message.
  Error Within(std::string_view prefix) &&;
};

/// A value or an Error.
template <class T = void>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

/// Shorthand for `return Fail(ErrorCode::kNotFound, "...")`.
std::unexpected<Error> Fail(ErrorCode code, std::string message);

/// As Fail, for a failure that may pass: `retryable` is set.
std::unexpected<Error> FailTransient(ErrorCode code, std::string message);

/// The Error for a failed system call: `what: strerror(errno_value)`, with the matching code
/// (ENOSPC and EDQUOT become kOutOfSpace, EACCES kPermissionDenied, ENOENT kNotFound …).
Error FromErrno(int errno_value, std::string_view what);

}  // namespace spillway

/// Evaluates to the value of a Result, or returns its error from the enclosing function.
#define TRY(...)                                                      \
  ({                                                                  \
    auto&& spillway_try_result = (__VA_ARGS__);                       \
    if (!spillway_try_result.has_value()) [[unlikely]]                \
      return std::unexpected(std::move(spillway_try_result).error()); \
    *std::move(spillway_try_result);                                  \
  })
