#include "config/markdown.h"

#include <map>
#include <set>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/yaml_writer.h"

namespace spillway::config {
namespace {

/// A section still to be written.
struct Chapter {
  std::string path;  ///< "exports.<name>"; empty for the file itself.
  std::string help;
  const Outline* section;
  bool overridable;  ///< False inside of lists.
};

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

/// The section that a field is made of, if any, and how its path goes on.
const Outline* SectionIn(const Outline& outline, std::string& path) {
  if (outline.kind == Outline::Kind::kSection) return &outline;
  if (outline.element.empty() || outline.element.front().kind != Outline::Kind::kSection) {
    return nullptr;
  }
  path += outline.kind == Outline::Kind::kMap ? ".<name>" : "[]";
  return &outline.element.front();
}

std::string DefaultOf(const OutlineField& field) {
  if (field.required) return "required";
  if (field.secret) return "secret";
  if (field.outline.nullable && !field.outline.value) return "none";
  return "`" + Escaped(FlowYaml(field.outline)) + "`";
}

std::string VariablesOf(const OutlineField& field, const std::string& path, bool overridable) {
  const bool parts = !field.outline.element.empty() && field.outline.kind == Outline::Kind::kMap &&
                     !field.outline.element.front().IsScalar();
  if (!overridable || parts) return "";
  std::string variables = "`" + VariableName(path) + "`";
  for (const std::string& name : field.variables) variables += ", `" + name + "`";
  return variables;
}

std::string ValuesOf(const Outline& outline) {
  if (outline.kind == Outline::Kind::kList) return "a list";
  if (outline.kind == Outline::Kind::kMap) return "values by name";
  return Escaped(outline.expectation);
}

class Tables {
 public:
  std::string text;

  void Write(const Chapter& chapter) {
    if (!chapter.path.empty()) text += fmt::format("\n## `{}`\n", chapter.path);
    if (!chapter.help.empty()) text += "\n" + chapter.help + "\n";
    std::set<std::string> of_options;
    for (const OutlineOption& option : chapter.section->options) {
      for (const OutlineField& field : option.fields) of_options.insert(field.name);
    }
    std::vector<Chapter> inner;
    std::vector<const OutlineField*> own;
    for (const OutlineField& field : chapter.section->fields) {
      if (!of_options.contains(field.name)) own.push_back(&field);
    }
    WriteTable(chapter, own, inner);
    WriteOptions(chapter, inner);
    for (const Chapter& next : inner) Write(next);
  }

 private:
  void WriteTable(const Chapter& chapter, const std::vector<const OutlineField*>& fields,
                  std::vector<Chapter>& inner) {
    std::string rows;
    for (const OutlineField* field : fields) {
      const std::string path =
          chapter.path.empty() ? field->name : chapter.path + "." + field->name;
      std::string inner_path = path;
      if (const Outline* section = SectionIn(field->outline, inner_path)) {
        const bool list = field->outline.kind == Outline::Kind::kList;
        inner.push_back(
            {inner_path, list ? "" : field->help, section, chapter.overridable && !list});
        if (!list) continue;
      }
      rows += fmt::format("| `{}` | {} | {} | {} | {} |\n", field->name, Escaped(field->help),
                          ValuesOf(field->outline), DefaultOf(*field),
                          VariablesOf(*field, path, chapter.overridable));
    }
    if (rows.empty()) return;
    text +=
        "\n| Setting | Meaning | Values | Default | Environment variable |\n"
        "| --- | --- | --- | --- | --- |\n";
    text += rows;
  }

  /// What an option shares with one before it is told once.
  void WriteOptions(const Chapter& chapter, std::vector<Chapter>& inner) {
    std::map<std::string, std::string> told;  // The option, by the name of the field.
    for (const OutlineOption& option : chapter.section->options) {
      text += fmt::format("\n### `{}`, where `{}` is `{}`\n", chapter.path, chapter.section->choice,
                          option.name);
      std::vector<const OutlineField*> fields;
      std::map<std::string, std::vector<std::string>> shared;
      for (const OutlineField& field : option.fields) {
        const auto [before, is_new] = told.emplace(field.name, option.name);
        if (is_new) {
          fields.push_back(&field);
        } else {
          shared[before->second].push_back("`" + field.name + "`");
        }
      }
      for (const auto& [name, names] : shared)
        text += fmt::format("\nIt has {}, as `{}` does.\n", fmt::join(names, ", "), name);
      WriteTable(chapter, fields, inner);
    }
  }
};

}  // namespace

std::string MarkdownTables(const Outline& outline) {
  Tables tables;
  tables.Write({"", "", &outline, true});
  return std::move(tables.text);
}

}  // namespace spillway::config
