#include "config/yaml_writer.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace spillway::config {
namespace {

constexpr size_t kColumnsMax = 100;
constexpr std::string_view kConcealed = "\"(secret)\"";

bool MeansSomethingElse(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const char* word : {"true", "false", "yes", "no", "on", "off", "y", "n", "null"}) {
    if (text == word) return true;
  }
  return false;
}

bool MayBePlain(const std::string& text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto inner = [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || std::string_view("_-./()").contains(c);
  };
  return !text.empty() && (letter(text[0]) || text[0] == '_' || text[0] == '/') &&
         std::ranges::all_of(text, inner) && !MeansSomethingElse(text);
}

/// The text that reads as `text` where variables are replaced.
std::string Unsubstituted(std::string_view text) {
  std::string escaped;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("${")) escaped += '$';
    escaped += text[i];
  }
  return escaped;
}

std::string ScalarYaml(const Outline& outline) {
  using Kind = Outline::Kind;
  if (!outline.value) return "null";
  std::string text = *outline.value;
  const bool substituted = outline.kind == Kind::kText || outline.kind == Kind::kPath;
  if (substituted && !outline.names_variables) text = Unsubstituted(text);
  const bool plain = outline.kind == Kind::kInteger || outline.kind == Kind::kBoolean ||
                     outline.kind == Kind::kDuration || outline.kind == Kind::kSize;
  if ((plain && !outline.names_variables) || MayBePlain(text)) return text;
  // JSON's strings are YAML's double-quoted ones. Values out of the environment may be no UTF-8.
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Whether a section in a list can be written as its shorthand: nothing else differs from the
/// defaults.
const Outline* ShorthandOf(const Outline& section, const Outline& defaults) {
  const Outline* shorthand = nullptr;
  for (size_t i = 0; i < section.fields.size(); ++i) {
    const OutlineField& field = section.fields[i];
    if (field.name == section.shorthand) {
      shorthand = &field.outline;
    } else if (FlowYaml(field.outline) != FlowYaml(defaults.fields[i].outline)) {
      return nullptr;
    }
  }
  return shorthand;
}

std::string ItemYaml(const Outline& item, const Outline& defaults) {
  const Outline* shorthand = item.shorthand.empty() ? nullptr : ShorthandOf(item, defaults);
  return FlowYaml(shorthand != nullptr ? *shorthand : item);
}

class Writer {
 public:
  explicit Writer(bool commented) : commented_(commented) {}

  void Section(const Outline& section, size_t indent) {
    for (const OutlineField& field : section.fields) Field(field, indent);
  }

  std::string text;

 private:
  void Field(const OutlineField& field, size_t indent) {
    const Outline& outline = field.outline;
    // What is not set, and must not be null, is left out.
    if (!commented_ && outline.IsScalar() && !outline.value && !outline.nullable) return;
    const std::string margin(indent, ' ');
    if (commented_) Help(field, indent);
    if (outline.kind == Outline::Kind::kSection) {
      text += fmt::format("{}{}:\n", margin, field.name);
      Section(outline, indent + 2);
    } else if (outline.kind == Outline::Kind::kMap && !outline.entries.empty()) {
      text += fmt::format("{}{}:\n", margin, field.name);
      for (const OutlineEntry& entry : outline.entries) Entry(field, entry, indent + 2);
    } else if (outline.kind == Outline::Kind::kList && !outline.items.empty() &&
               (field.essential || !commented_) && !field.secret) {
      text += fmt::format("{}{}:\n", margin, field.name);
      for (const Outline& item : outline.items) {
        text += fmt::format("{}  - {}\n", margin, ItemYaml(item, outline.element.front()));
      }
    } else {
      const bool live = !commented_ || field.essential || field.required;
      text += fmt::format("{}{}{}: {}\n", margin, live ? "" : "#", field.name, Value(field));
    }
    if (commented_ && !text.ends_with("\n\n")) text += "\n";
  }

  void Entry(const OutlineField& map, const OutlineEntry& entry, size_t indent) {
    const std::string margin(indent, ' ');
    if (entry.outline.kind == Outline::Kind::kSection) {
      text += fmt::format("{}{}:\n", margin, entry.key);
      Section(entry.outline, indent + 2);
    } else {
      text += fmt::format("{}{}: {}\n", margin, entry.key,
                          map.secret ? kConcealed : FlowYaml(entry.outline));
    }
  }

  std::string Value(const OutlineField& field) const {
    const Outline& outline = field.outline;
    const bool empty =
        outline.IsScalar() ? !outline.value : outline.items.empty() && outline.entries.empty();
    if (!field.secret || (empty && !commented_)) return FlowYaml(outline);
    if (!commented_) return std::string(kConcealed);
    if (!field.variables.empty()) return "\"${" + field.variables.front() + "}\"";
    std::string variable = field.name;
    std::ranges::transform(variable, variable.begin(),
                           [](unsigned char c) { return std::toupper(c); });
    return "\"${" + variable + "}\"";
  }

  void Help(const OutlineField& field, size_t indent) {
    std::string help = field.help;
    const Outline::Kind kind = field.outline.kind;
    if (field.outline.IsScalar() && kind != Outline::Kind::kText && kind != Outline::Kind::kPath) {
      help += " Use " + field.outline.expectation + ".";
    }
    const std::string margin = std::string(indent, ' ') + "#";
    std::string line = margin;
    for (size_t begin = 0; begin < help.size();) {
      const size_t end = std::min(help.find(' ', begin), help.size());
      const std::string word = help.substr(begin, end - begin);
      if (line.size() + 1 + word.size() > kColumnsMax) {
        text += line + "\n";
        line = margin;
      }
      line += " " + word;
      begin = end + 1;
    }
    text += line + "\n";
  }

  bool commented_;
};

}  // namespace

std::string FlowYaml(const Outline& outline) {
  std::string text;
  const auto append = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  switch (outline.kind) {
    case Outline::Kind::kSection:
      for (const OutlineField& field : outline.fields) {
        append(field.name + ": " +
               (field.secret ? std::string(kConcealed) : FlowYaml(field.outline)));
      }
      return "{" + text + "}";
    case Outline::Kind::kList:
      for (const Outline& item : outline.items) append(ItemYaml(item, outline.element.front()));
      return "[" + text + "]";
    case Outline::Kind::kMap:
      for (const OutlineEntry& entry : outline.entries) {
        append(entry.key + ": " + FlowYaml(entry.outline));
      }
      return "{" + text + "}";
    default:
      return ScalarYaml(outline);
  }
}

std::string StartingFile(const Outline& outline, const std::string& heading) {
  Writer writer(true);
  writer.text = heading + "\n";
  writer.Section(outline, 0);
  while (writer.text.ends_with("\n\n")) writer.text.pop_back();
  return std::move(writer.text);
}

std::string EffectiveFile(const Outline& outline) {
  Writer writer(false);
  writer.Section(outline, 0);
  return std::move(writer.text);
}

}  // namespace spillway::config
