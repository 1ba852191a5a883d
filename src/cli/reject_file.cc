#include "cli/reject_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/directory_sync.h"

namespace spillway::cli {
namespace {

/// Whether a run that was killed left its last line without an end.
bool EndsWithinLine(int file) {
  struct stat status;
  char last = '\n';
  return fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
         pread(file, &last, 1, status.st_size - 1) == 1 && last != '\n';
}

}  // namespace

std::unexpected<Error> RejectFile::Failed() const {
  return std::unexpected(FromErrno(errno, "writing refused lines to " + path_.string()));
}

Result<> RejectFile::Open() {
  file_ =
      storage::FileDescriptor(open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!file_.open()) return Failed();
  if (EndsWithinLine(file_.get()) && write(file_.get(), "\n", 1) != 1) return Failed();
  return {};
}

Result<> RejectFile::Write(std::string_view ndjson) {
  if (!file_.open()) TRY(Open());
  while (!ndjson.empty()) {
    const ssize_t written = write(file_.get(), ndjson.data(), ndjson.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed();
    ndjson.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Result<> RejectFile::Finish() {
  if (!file_.open()) return {};
  struct stat status;
  if (fstat(file_.get(), &status) != 0) return Failed();
  if (!S_ISREG(status.st_mode)) return {};
  const std::filesystem::path parent = path_.parent_path();
  const storage::FileDescriptor directory(
      open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fsync(file_.get()) != 0 || !directory.open() || SyncDirectory(directory.get()) != 0)
    return Failed();
  return {};
}

}  // namespace spillway::cli
