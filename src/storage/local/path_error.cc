#include "storage/local/path_error.h"

#include <cerrno>

#include <fmt/format.h>

namespace spillway::storage {
namespace {

std::string_view Advice(int errno_value) {
  switch (errno_value) {
    case ENOSPC:
      return "; free some space there or choose another directory";
    case EDQUOT:
      return "; free some of the quota or choose another directory";
    case EFBIG:
      return "; raise the limit on file sizes (ulimit -f) or make the files smaller";
    case EACCES:
    case EPERM:
      return "; give this user access to it or choose another directory";
    case EROFS:
      return "; choose a directory on a writable file system";
    case ENOTDIR:
      return "; a part of this path is a file: move it away or choose another directory";
    case EEXIST:
      return "; remove it or choose another name";
    case EISDIR:
      return "; a directory has this name: move it away or choose another name";
    case ELOOP:
      return "; symbolic links inside a store are not followed: put the thing itself there";
    case EINVAL:
    case EOPNOTSUPP:
      return "; its file system lacks what a store needs: choose a directory on another";
    case EXDEV:
      return "; a store must lie on one file system: mount nothing inside it";
    case EMFILE:
    case ENFILE:
      return "; raise the limit on open files (ulimit -n)";
    case ENAMETOOLONG:
      return "; choose a shorter name";
    case EIO:
      return "; check the disk";
    case ESTALE:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENOTCONN:
      return "; see whether the network file system there is mounted and its server answers";
    default:
      return "";
  }
}

}  // namespace

Error PathError(int errno_value, std::string_view tried, std::string_view path) {
  Error error = FromErrno(errno_value, fmt::format("cannot {} {}", tried, path));
  if (errno_value == EISDIR || errno_value == EXDEV) error.code = ErrorCode::kConflict;
  if (errno_value == ELOOP) error.code = ErrorCode::kPermissionDenied;
  error.message += Advice(errno_value);
  return error;
}

}  // namespace spillway::storage
