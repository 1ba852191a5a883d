#include "settings/state_address.h"

namespace spillway {

std::string StateAddress::Shown() const {
  if (!is_postgres()) return text_;
  std::string shown = text_;
  // In the query, as libpq takes it there too: up to the next parameter.
  for (size_t at = shown.find("password="); at != std::string::npos;
       at = shown.find("password=", at + 1)) {
    const size_t value = at + std::string_view("password=").size();
    shown.replace(value, shown.find('&', value) - value, "(secret)");
  }
  const size_t authority = shown.find("://") + 3;
  // A ? may stand in a password: libpq looks for its end up to the path.
  const size_t end = shown.find('/', authority);
  const size_t at = shown.substr(0, end).rfind('@');
  const size_t colon = shown.find(':', authority);
  if (at == std::string::npos || colon == std::string::npos || colon > at) return shown;
  return shown.replace(colon + 1, at - colon - 1, "(secret)");
}

}  // namespace spillway
