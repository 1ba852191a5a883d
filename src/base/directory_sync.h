#pragma once

#include <unistd.h>

#include <cerrno>

namespace spillway {

/// Makes the names in a directory durable, and returns what fsync(2) returns. EINVAL is no failure:
/// file systems of network shares and of shared folders of virtual machines return it because their
/// directories need no sync.
inline int SyncDirectory(int descriptor) {
  const int status = fsync(descriptor);
  return status != 0 && errno == EINVAL ? 0 : status;
}

}  // namespace spillway
