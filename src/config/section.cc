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

std::optional<std::vector<std::string>> ReadTexts(const YamlNode& node, const Outline& expected,
                                                  const std::string& path, Reader& reader) {
  const auto text = [&](const YamlNode& scalar, const std::string& at) {
    return reader.Text(scalar, at, /*substitute=*/true, expected.expectation);
  };
  if (expected.IsScalar()) {
    auto read = text(node, path);
    if (!read) return std::nullopt;
    // "-" is standard output, and no path.
    if (expected.kind == Outline::Kind::kPath && *read != "-")
      *read = reader.Resolved(*read).string();
    return std::vector{*std::move(read)};
  }
  const bool list = expected.kind == Outline::Kind::kList;
  if (node.kind != (list ? YamlNode::Kind::kList : YamlNode::Kind::kMap)) {
    reader.Report(node.position, path + " is not " + expected.expectation + "; write it as one");
    return std::nullopt;
  }
  std::vector<std::string> texts;
  const size_t problems = reader.problem_count();
  for (size_t i = 0; i < node.items.size(); ++i) {
    if (auto read = text(*node.items[i], fmt::format("{}[{}]", path, i)))
      texts.push_back(*std::move(read));
  }
  for (const YamlNode::Entry& entry : node.entries) {
    const std::string at = FieldPath(path, entry.key);
    reader.Given(at, entry.key_position);
    if (auto read = text(*entry.value, at)) texts.push_back(entry.key + "=" + *read);
  }
  if (reader.problem_count() != problems) return std::nullopt;
  return texts;
}

Outline WithVariablesNamed(Outline outline, const std::map<std::string, std::string>& texts,
                           const std::string& path) {
  if (const auto found = texts.find(path); found != texts.end() && outline.IsScalar()) {
    outline.value = found->second;
    outline.names_variables = true;
  }
  for (OutlineField& field : outline.fields)
    field.outline =
        WithVariablesNamed(std::move(field.outline), texts, FieldPath(path, field.name));
  for (OutlineEntry& entry : outline.entries)
    entry.outline = WithVariablesNamed(std::move(entry.outline), texts, FieldPath(path, entry.key));
  for (size_t i = 0; i < outline.items.size(); ++i) {
    Outline& item = outline.items[i];
    item = WithVariablesNamed(std::move(item), texts, fmt::format("{}[{}]", path, i));
  }
  return outline;
}

Outline WithTexts(Outline outline, const std::vector<std::string>& texts) {
  if (outline.IsScalar()) {
    if (!texts.empty()) outline.value = texts.front();
    return outline;
  }
  for (const std::string& text : texts) {
    Outline item = outline.element.front();
    if (outline.kind == Outline::Kind::kList) {
      item.value = text;
      outline.items.push_back(std::move(item));
    } else {
      const size_t equals = text.find('=');
      item.value = text.substr(equals + 1);
      outline.entries.push_back({text.substr(0, equals), std::move(item)});
    }
  }
  return outline;
}

namespace {

/// Whether `message` shows what came out of a variable: of the field that it is about, or of one
/// beside it or in it.
bool ShowsSecret(const VariableTexts& from_variables, std::string_view path,
                 std::string_view message) {
  // Quoted texts are cut, and their control characters escaped.
  constexpr size_t kBytesCompared = 40;
  constexpr size_t kSecretBytesMin = 4;
  const std::string_view section = path.substr(0, path.find_last_of('.'));
  return std::ranges::any_of(from_variables, [&](const auto& each) {
    const auto& [at, text] = each;
    if (at == path) return true;
    if (!at.starts_with(section) || text.value.size() < kSecretBytesMin) return false;
    const std::string quoted = Quoted(text.value);
    const size_t shown = std::min(quoted.size() - 2, kBytesCompared);
    return message.contains(text.value) || message.contains(quoted.substr(1, shown));
  });
}

}  // namespace

void Complaints::About(std::string_view field, std::string_view message,
                       std::initializer_list<std::string_view> related) {
  const std::string path = FieldPath(path_, field);
  std::string place = path;
  for (const std::string_view other : related) {
    if (!reader_.IsGiven(place)) place = FieldPath(path_, other);
  }
  if (!reader_.IsGiven(place)) place = path;
  const bool concealed = ShowsSecret(reader_.from_variables(), path, message);
  reader_.ReportMisfit(
      reader_.PositionOf(place),
      path + " " +
          (concealed ? "is not usable; what came out of a variable is not shown, so look at "
                       "what the variables named there hold"
                     : std::string(message)));
}

}  // namespace spillway::config
