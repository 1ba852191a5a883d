#pragma once

#include <unistd.h>

#include <cerrno>

namespace spillway {

/// Brings the names in a directory to the disk: fsync(2), and its results. EINVAL is no failure: by
/// it file systems say that there is nothing to ask of them for directories, as those of network
/// shares and of shared folders of virtual machines do.
inline int SyncDirectory(int descriptor) {
  const int status = fsync(descriptor);
  return status != 0 && errno == EINVAL ? 0 : status;
}

}  // namespace spillway
