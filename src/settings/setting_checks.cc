#include "settings/setting_checks.h"

#include <fmt/format.h>

#include "postgres/address.h"
#include "storage/place.h"

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

Complaint CheckDestination(const std::filesystem::path& place, const std::filesystem::path& lake) {
  const auto shown = [](const std::filesystem::path& path) { return path.string(); };
  if (storage::LiesIn(place, lake)) {
    return fmt::format(
        "is {}, in the directory of the lake, {}; use one outside, so that exports and messages "
        "stay apart",
        shown(place), shown(lake));
  }
  if (storage::LiesIn(lake, place)) {
    return fmt::format(
        "is {}, which has the lake, {}, in it; use one beside, so that exports and messages stay "
        "apart",
        shown(place), shown(lake));
  }
  if (storage::LiesInPrivateFolder(place)) {
    return fmt::format(
        "is {}, in a folder .spillway, where jobs keep what they have not published yet; use a "
        "directory outside",
        shown(place));
  }
  return std::nullopt;
}

request::Problems CheckPlaces(const request::Form& form, const request::Texts& texts,
                              const std::filesystem::path& lake) {
  request::Problems problems;
  for (const request::Field& field : form.fields) {
    const auto found = texts.find(field.name);
    if (field.kind != request::Field::Kind::kPlace || found == texts.end()) continue;
    for (const std::string& text : found->second) {
      if (text.empty() || text.starts_with('-')) continue;  // Standard output.
      if (auto complaint = CheckDestination(text, lake))
        problems.push_back({field.name, *std::move(complaint)});
    }
  }
  return problems;
}

}  // namespace spillway
