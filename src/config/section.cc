#include "config/section.h"

#include <algorithm>

#include <fmt/format.h>

namespace spillway::config {

std::string Alternatives(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

std::string FieldPath(const std::string& section, std::string_view field) {
  return section.empty() ? std::string(field) : section + "." + std::string(field);
}

void ReportUnknownField(const YamlNode::Entry& entry, const std::string& path,
                        const std::vector<std::string>& known, Reader& reader) {
  const auto nearest = NearestName(entry.key, known);
  const std::string name =
      std::ranges::all_of(entry.key, [](char c) { return c > ' ' && c < 0x7F; }) &&
              entry.key.size() <= 60
          ? FieldPath(path, entry.key)
          : FieldPath(path, Quoted(entry.key));
  reader.Report(entry.key_position,
                nearest ? fmt::format("{} is not a setting; did you mean {}?", name, *nearest)
                        : fmt::format("{} is not a setting; remove it, or use {}", name,
                                      Alternatives(known)));
}

void Complaints::About(std::string_view field, std::string_view message,
                       std::initializer_list<std::string_view> related) {
  const std::string path = FieldPath(path_, field);
  std::string place = path;
  for (const std::string_view other : related) {
    if (!reader_.IsGiven(place)) place = FieldPath(path_, other);
  }
  if (!reader_.IsGiven(place)) place = path;
  reader_.Report(reader_.PositionOf(place), path + " " + std::string(message));
}

}  // namespace spillway::config
