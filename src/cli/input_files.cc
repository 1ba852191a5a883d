#include "cli/input_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <utility>

#include "lake/compaction/hidden_path.h"

namespace spillway::cli {
namespace {

namespace fs = std::filesystem;

void Count(const fs::path& path, InputFiles::PassedOver& passed_over) {
  if (passed_over.count++ == 0) passed_over.first = path.string();
}

/// Goes through one directory and all below.
class Walk {
 public:
  explicit Walk(InputFiles& found) : found_(found) {}

  Result<> Enter(const fs::path& directory) {
    struct stat about = {};
    if (::stat(directory.c_str(), &about) != 0) {
      return std::unexpected(FromErrno(errno, directory.string()));
    }
    if (!entered_.emplace(about.st_dev, about.st_ino).second) return {};
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
      TRY(Take(entry->path()));
    }
    if (error) return std::unexpected(FromErrno(error.value(), directory.string()));
    return {};
  }

 private:
  Result<> Take(const fs::path& path) {
    const std::string name = path.filename().string();
    struct stat about = {};
    const bool there = ::stat(path.c_str(), &about) == 0;
    const int why = errno;
    const bool is_directory = there && S_ISDIR(about.st_mode);
    if (lake::IsHiddenPath(is_directory ? name + '/' : name)) {
      Count(path, found_.hidden);
      return {};
    }
    if (!there) return std::unexpected(FromErrno(why, path.string()));
    if (is_directory) return Enter(path);
    if (!S_ISREG(about.st_mode)) {
      Count(path, found_.special);
      return {};
    }
    if (name.ends_with(kRejectsSuffix)) return {};
    if (::access(path.c_str(), R_OK) != 0) {
      return std::unexpected(FromErrno(errno, path.string()));
    }
    found_.files.push_back(path.string());
    return {};
  }

  InputFiles& found_;
  std::set<std::pair<dev_t, ino_t>> entered_;
};

}  // namespace

Result<InputFiles> FindInputFiles(const std::vector<std::string>& inputs) {
  InputFiles found;
  for (const std::string& input : inputs) {
    struct stat about = {};
    if (input != kStandardInput && ::stat(input.c_str(), &about) != 0) {
      return std::unexpected(FromErrno(errno, "cannot read " + input));
    }
    if (input == kStandardInput || !S_ISDIR(about.st_mode)) {
      found.files.push_back(input);
      continue;
    }
    const size_t first = found.files.size();
    TRY(Walk(found).Enter(input));
    if (found.files.size() == first) {
      return Fail(ErrorCode::kNotFound,
                  input + ": no file in this directory" +
                      (found.hidden.count > 0 ? "; what begins with . or _ is passed over" : ""));
    }
    std::sort(found.files.begin() + static_cast<ptrdiff_t>(first), found.files.end());
  }
  return found;
}

}  // namespace spillway::cli
