#include "deployment/open_data_database.h"

#include <string_view>

namespace spillway {
namespace {

/// A keyword of a connection string; libpq fills in what is empty.
void Append(std::string& address, std::string_view keyword, std::string_view value) {
  if (value.empty()) return;
  if (!address.empty()) address += ' ';
  address += keyword;
  address += "='";
  for (const char c : value) {
    if (c == '\'' || c == '\\') address += '\\';
    address += c;
  }
  address += '\'';
}

std::vector<std::string> FormatsOf(std::string_view list) {
  std::vector<std::string> formats(1);
  for (const char c : list) {
    if (c == ',') {
      formats.emplace_back();
    } else if (c != ' ') {
      formats.back() += c;
    }
  }
  return formats;
}

}  // namespace

std::string AddressOf(const OpenDataDatabase& database, const DatabaseLogin& login) {
  std::string address;
  Append(address, "host", database.host);
  Append(address, "port", std::to_string(database.port));
  Append(address, "dbname", database.name);
  Append(address, "sslmode", database.ssl_mode);
  Append(address, "user", login.user);
  Append(address, "password", login.password.value_or(""));
  return address;
}

recipe::OpenDataOptions OptionsOf(const OpenDataSettings& settings) {
  return {.read_address = AddressOf(settings.database, settings.database.read),
          .write_address = AddressOf(settings.database, settings.database.write),
          .destination = settings.destination(),
          .manifests = settings.manifests.value_or("").string(),
          .formats = FormatsOf(settings.format),
          .limit = settings.limit,
          .time_limit = settings.time_limit,
          .settle = settings.settle,
          .time_ending = settings.day == DayBound::kTimeEnding,
          .claims = {.abandoned_after = settings.claim_timeout,
                     .attempts = settings.attempts,
                     .retry_pause = settings.retry_pause},
          .empty_days = {.keep = settings.on_empty == OnEmpty::kKeep,
                         .delete_max = settings.delete_max},
          .retry_for = settings.retry_for,
          .schema = settings.database.schema};
}

}  // namespace spillway
