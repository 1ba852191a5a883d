#include "cli/reject_file.h"

#include <cerrno>

namespace spillway::cli {

Result<> RejectFile::Write(std::string_view ndjson) {
  if (file_ == nullptr) file_.reset(std::fopen(path_.c_str(), "wb"));
  if (file_ == nullptr ||
      std::fwrite(ndjson.data(), 1, ndjson.size(), file_.get()) != ndjson.size()) {
    return std::unexpected(FromErrno(errno, "writing refused lines to " + path_.string()));
  }
  return {};
}

Result<> RejectFile::Finish() {
  if (file_ != nullptr && std::fflush(file_.get()) != 0) {
    return std::unexpected(FromErrno(errno, "writing refused lines to " + path_.string()));
  }
  return {};
}

}  // namespace spillway::cli
