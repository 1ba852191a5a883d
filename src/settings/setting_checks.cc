#include "settings/setting_checks.h"

#include "postgres/address.h"

namespace spillway {

using config::Complaint;

Complaint CheckState(const StateAddress& state) {
  if (state.is_postgres()) {
    const auto address = postgres::ParseAddress(state.postgres());
    if (address.has_value()) return std::nullopt;
    return "does not read as postgres://user@host:port/database; percent-encode special characters";
  }
  const std::string text = state.file().string();
  const size_t begin = text.starts_with("//") ? 2 : 0;
  const size_t colon = text.substr(0, text.find('/', begin)).find(':', begin);
  const size_t first_colon = text.find(':');
  const bool has_login = !text.starts_with('/') && first_colon != std::string::npos &&
                         text.find('@', first_colon) != std::string::npos;
  const bool is_url =
      has_login || (colon != std::string::npos && (text.substr(colon + 1).starts_with('/') ||
                                                   text.find('@', colon) != std::string::npos));
  std::string without_spaces = text;
  std::erase(without_spaces, ' ');
  const bool has_keywords =
      without_spaces.contains("password=") || without_spaces.contains("dbname=");
  if (!is_url && !has_keywords) return std::nullopt;
  return "is neither a file nor postgres://user@host/database";
}

}  // namespace spillway
