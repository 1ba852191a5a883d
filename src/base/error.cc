#include "base/error.h"

#include <array>
#include <cerrno>
#include <cstring>

namespace spillway {
namespace {

constexpr std::array<std::pair<ErrorCode, std::string_view>, 11> kNames = {{
    {ErrorCode::kInvalidArgument, "invalid_argument"},
    {ErrorCode::kNotFound, "not_found"},
    {ErrorCode::kAlreadyExists, "already_exists"},
    {ErrorCode::kConflict, "conflict"},
    {ErrorCode::kPermissionDenied, "permission_denied"},
    {ErrorCode::kOutOfSpace, "out_of_space"},
    {ErrorCode::kUnavailable, "unavailable"},
    {ErrorCode::kCancelled, "cancelled"},
    {ErrorCode::kCorrupt, "corrupt"},
    {ErrorCode::kUnsupported, "unsupported"},
    {ErrorCode::kInternal, "internal"},
}};

}  // namespace

std::string_view Name(ErrorCode code) {
  for (const auto& [known, name] : kNames) {
    if (known == code) return name;
  }
  return "internal";
}

ErrorCode ErrorCodeFromName(std::string_view name) {
  for (const auto& [code, known] : kNames) {
    if (known == name) return code;
  }
  return ErrorCode::kInternal;
}

Error Error::Within(std::string_view prefix) && {
  message.insert(0, ": ").insert(0, prefix);
  return std::move(*this);
}

std::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{.code = code, .message = std::move(message)});
}

std::unexpected<Error> FailTransient(ErrorCode code, std::string message) {
  return std::unexpected(Error{.code = code, .message = std::move(message), .retryable = true});
}

Error FromErrno(int errno_value, std::string_view what) {
  Error error;
  error.message = std::string(what) + ": " + std::strerror(errno_value);
  switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
      error.code = ErrorCode::kNotFound;
      break;
    case EEXIST:
      error.code = ErrorCode::kAlreadyExists;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      error.code = ErrorCode::kPermissionDenied;
      break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      error.code = ErrorCode::kOutOfSpace;
      break;
    case EINTR:
    case EAGAIN:
    case EIO:
    case EMFILE:
    case ENFILE:
    // A network file system that is away, or came back as another.
    case ESTALE:
    case ETIMEDOUT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETUNREACH:
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
    case EREMOTEIO:
      error.code = ErrorCode::kUnavailable;
      error.retryable = true;
      break;
    case EINVAL:
    case ENAMETOOLONG:
      error.code = ErrorCode::kInvalidArgument;
      break;
    default:
      break;
  }
  return error;
}

}  // namespace spillway
