#include "http/transport.h"

#include <algorithm>
#include <cctype>

namespace spillway::http {

std::optional<std::string_view> Response::Find(std::string_view name) const {
  const auto same = [](unsigned char a, unsigned char b) {
    return std::tolower(a) == std::tolower(b);
  };
  for (const Header& header : headers) {
    if (std::ranges::equal(header.name, name, same)) return header.value;
  }
  return std::nullopt;
}

}  // namespace spillway::http
