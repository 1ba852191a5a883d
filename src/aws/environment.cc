#include "aws/environment.h"

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace spillway::aws {

Environment ProcessEnvironment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  };
}

Result<std::string> ReadTextFile(const std::string& path) {
  errno = 0;
  std::ifstream file(path);
  if (!file) return std::unexpected(FromErrno(errno != 0 ? errno : ENOENT, "cannot read " + path));
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (file.bad()) return std::unexpected(FromErrno(EIO, "cannot read " + path));
  return text;
}

}  // namespace spillway::aws
