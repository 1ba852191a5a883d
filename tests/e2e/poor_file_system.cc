// Preloaded into the program: a file system that cannot sync directories, and one without hard
// links, as network shares, FAT and shared folders of virtual machines are.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include <dlfcn.h>

extern "C" int fsync(int descriptor) {
  using Function = int (*)(int);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "fsync"));
  struct stat status;
  const bool directory = fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode);
  if (directory && std::getenv("NO_DIRECTORY_SYNC") != nullptr) {
    errno = EINVAL;
    return -1;
  }
  return real(descriptor);
}

extern "C" int linkat(int from_directory, const char* from, int to_directory, const char* to,
                      int flags) noexcept {
  using Function = int (*)(int, const char*, int, const char*, int);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "linkat"));
  if (std::getenv("NO_HARD_LINKS") != nullptr) {
    errno = EPERM;
    return -1;
  }
  return real(from_directory, from, to_directory, to, flags);
}
