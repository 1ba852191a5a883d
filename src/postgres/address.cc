#include "postgres/address.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>

#include <libpq-fe.h>

namespace spillway::postgres {
namespace {

struct Forget {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

std::string_view ValueOf(const PQconninfoOption* options, std::string_view keyword) {
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    if (option->keyword == keyword && option->val != nullptr) return option->val;
  }
  return {};
}

std::vector<std::string> SplitAtCommas(std::string_view list) {
  std::vector<std::string> parts;
  if (list.empty()) return parts;
  for (size_t comma = list.find(','); comma != std::string_view::npos; comma = list.find(',')) {
    parts.emplace_back(list.substr(0, comma));
    list.remove_prefix(comma + 1);
  }
  parts.emplace_back(list);
  return parts;
}

/// Whether a URL's path contains the end of a password and the host, because the password has a `/`
/// that is not percent-encoded.
bool HasHostInPath(std::string_view address) {
  for (const std::string_view scheme : {"postgres://", "postgresql://"}) {
    if (!address.starts_with(scheme)) continue;
    const std::string_view rest = address.substr(scheme.size());
    const std::string_view place = rest.substr(0, rest.find('?'));
    const size_t path = place.find('/');
    return path != std::string_view::npos && place.find('@', path) != std::string_view::npos;
  }
  return false;
}

/// A leading @ is allowed: it names an abstract Unix socket.
bool IsHost(std::string_view name) { return name.find('@', 1) == std::string_view::npos; }

bool IsPort(std::string_view port) {
  return std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Result<Address> ParseAddress(const std::string& address) {
  // libpq's own message is not used: it quotes parts of the address, perhaps the password.
  const std::unexpected<Error> unread =
      Fail(ErrorCode::kInvalidArgument,
           "the PostgreSQL address cannot be read: write "
           "postgres://user@host:port/database, with special characters percent-encoded");
  const std::unique_ptr<PQconninfoOption, Forget> parsed(PQconninfoParse(address.c_str(), nullptr));
  if (parsed == nullptr || HasHostInPath(address)) return unread;
  const std::vector<std::string> names = SplitAtCommas(ValueOf(parsed.get(), "host"));
  const std::vector<std::string> ips = SplitAtCommas(ValueOf(parsed.get(), "hostaddr"));
  const std::vector<std::string> ports = SplitAtCommas(ValueOf(parsed.get(), "port"));
  if (!std::ranges::all_of(names, IsHost) || !std::ranges::all_of(ports, IsPort)) return unread;
  Address read;
  const auto at = [](const std::vector<std::string>& values, size_t i) {
    return values.empty() ? std::string() : values.size() == 1 ? values[0] : values.at(i);
  };
  const size_t count = std::max(names.size(), ips.size());
  for (const std::vector<std::string>* list : {&names, &ips, &ports}) {
    if (count > 0 && list->size() > 1 && list->size() != count) return unread;
  }
  for (size_t i = 0; i < count; ++i)
    read.hosts.push_back({.name = at(names, i), .ip = at(ips, i), .port = at(ports, i)});
  const std::string_view timeout = ValueOf(parsed.get(), "connect_timeout");
  int64_t seconds = 0;
  std::from_chars(timeout.data(), timeout.data() + timeout.size(), seconds);
  read.connect_timeout = std::chrono::seconds(std::max<int64_t>(seconds, 0));
  return read;
}

}  // namespace spillway::postgres
