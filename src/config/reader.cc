#include "config/reader.h"

#include <algorithm>
#include <cctype>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/nearest_name.h"
#include "config/outline.h"

namespace spillway::config {
namespace {

constexpr size_t kProblemsMax = 100;
constexpr std::string_view kPrefix = "SPILLWAY_";

bool IsVariableName(std::string_view name) {
  const auto letter = [](char c) {
    return c == '_' || (std::isalpha(static_cast<unsigned char>(c)) != 0);
  };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && letter(name[0]) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || digit(c); });
}

bool IsInteger(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.size() < 30 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

std::string_view KindInWords(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::kNull:
      return "has no value";
    case YamlNode::Kind::kScalar:
      return "is a single value";
    case YamlNode::Kind::kList:
      return "is a list";
    case YamlNode::Kind::kMap:
      return "is a section";
  }
  return "";
}

}  // namespace

std::string VariableName(const std::string& path) {
  std::string name(kPrefix);
  for (const char c : path) {
    name +=
        c == '.' || c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

const YamlNode* Reader::ParseFile() {
  Problems problems;
  documents_.push_back(
      std::make_unique<Document>(ParseYaml(sources_.text, sources_.file, problems)));
  const YamlNode* root = documents_.back()->root();
  parsed_ = root != nullptr || problems.empty();
  for (Problem& problem : problems) Report(problem.position, std::move(problem.message));
  return root;
}

const YamlNode* Reader::FindOverride(const std::string& path,
                                     std::span<const std::string> more_variables, bool structured) {
  // Elements of lists cannot be given by variables: they have no names.
  if (path.contains('[')) return nullptr;
  std::vector<std::string> names = {VariableName(path)};
  known_variables_.push_back(names.front());
  names.insert(names.end(), more_variables.begin(), more_variables.end());
  const std::optional<Variable> found = FindFirst(names);
  return found ? Keep(found->position, found->text, structured) : nullptr;
}

void Reader::Conceal(const YamlNode& map, const std::string& path) {
  for (const YamlNode::Entry& entry : map.entries) {
    VariableText& text = from_variables_[fmt::format("{}.{}", path, entry.key)];
    if (text.value.empty()) text.value = entry.value->text;
    text.written = "(secret)";
  }
}

std::optional<Reader::Variable> Reader::FindVariable(std::string_view name) {
  const std::string own(name);
  return FindFirst({&own, 1});
}

std::optional<Reader::Variable> Reader::FindFirst(std::span<const std::string> names) {
  for (const std::string& name : names) {
    const auto found = sources_.environment.find(name);
    if (found != sources_.environment.end()) return Variable{{.source = name}, found->second};
  }
  for (const std::string& name : names) {
    const auto found = sources_.file_variables.find(name);
    if (found == sources_.file_variables.end()) continue;
    const FileVariable& variable = found->second;
    if (!variable.problem.empty()) Report(variable.position, name + " " + variable.problem);
    return Variable{variable.position, variable.text};
  }
  return std::nullopt;
}

const YamlNode* Reader::Keep(const Position& position, std::string_view text, bool structured) {
  if (!structured) {
    Document& document = *documents_.emplace_back(std::make_unique<Document>());
    YamlNode& node = document.Add(YamlNode::Kind::kScalar, position);
    node.style = YamlNode::Style::kVerbatim;
    node.text = text;
    return &node;
  }
  Problems problems;
  const std::string source =
      position.line == 0 ? position.source : fmt::format("{}:{}", position.source, position.line);
  documents_.push_back(std::make_unique<Document>(ParseYaml(std::string(text), source, problems)));
  for (Problem& problem : problems) Report(problem.position, std::move(problem.message));
  return documents_.back()->root();
}

std::optional<std::string> Reader::Text(const YamlNode& node, const std::string& path,
                                        bool substitute, std::string_view expectation) {
  if (node.kind == YamlNode::Kind::kScalar) {
    if (!substitute || node.style == YamlNode::Style::kVerbatim) return node.text;
    return Substituted(node, path);
  }
  std::string_view remedy;
  if (node.kind == YamlNode::Kind::kNull) {
    remedy = substitute ? ", or remove the line; a text such as NULL or ~ needs quotes"
                        : ", or remove the line";
  }
  Report(node.position,
         fmt::format("{} {}; use {}{}", path, KindInWords(node.kind), expectation, remedy));
  return std::nullopt;
}

std::optional<std::string> Reader::Substituted(const YamlNode& node, const std::string& path) {
  std::string result;
  bool from_variables = false;
  std::string_view rest = node.text;
  while (!rest.empty()) {
    if (rest.starts_with("$${")) {
      result += "${";
      rest.remove_prefix(3);
    } else if (rest.starts_with("${")) {
      const size_t end = rest.find('}');
      const std::string_view name =
          end == std::string_view::npos ? std::string_view() : rest.substr(2, end - 2);
      if (!IsVariableName(name)) {
        Report(node.position, fmt::format("{} has a \"${{\" that names no variable; write "
                                          "${{NAME}}, or $${{ for the text itself",
                                          path));
        return std::nullopt;
      }
      const std::optional<Variable> variable = FindVariable(name);
      if (!variable) {
        Report(node.position,
               fmt::format("{} needs the environment variable {}, which is not set; set it, or "
                           "write $${{ for the text itself",
                           path, name));
        return std::nullopt;
      }
      result += variable->text;
      from_variables = true;
      rest.remove_prefix(end + 1);
    } else {
      result += rest.front();
      rest.remove_prefix(1);
    }
  }
  if (from_variables) from_variables_[path] = {.written = node.text, .value = result};
  return result;
}

void Reader::ReportValue(const YamlNode& node, const std::string& path, bool secret,
                         std::string_view expectation, const std::optional<std::string>& nearest) {
  // What a variable was replaced by is not shown either: the node still has the name.
  const std::string shown = secret ? "not usable"
                            : node.style != YamlNode::Style::kQuoted && IsInteger(node.text)
                                ? node.text
                                : Quoted(node.text);
  Report(node.position,
         nearest && !secret
             ? fmt::format("{} is {}; did you mean {}? Use {}", path, shown, *nearest, expectation)
             : fmt::format("{} is {}; use {}", path, shown, expectation));
}

void Reader::Report(const Position& position, std::string message) {
  if (problems_.size() > kProblemsMax) return;
  if (problems_.size() == kProblemsMax) {
    message = "more problems follow; fix the ones above first";
    problems_.push_back({{.source = sources_.file}, std::move(message)});
    return;
  }
  problems_.push_back({position, std::move(message)});
}

void Reader::Given(const std::string& path, const Position& position) { given_[path] = position; }

Position Reader::PositionOf(const std::string& path) const {
  std::string_view enclosing = path;
  while (true) {
    if (const auto found = given_.find(std::string(enclosing)); found != given_.end()) {
      return found->second;
    }
    const size_t cut = enclosing.find_last_of(".[");
    if (cut == std::string_view::npos) return {sources_.file, 1, 1};
    enclosing = enclosing.substr(0, cut);
  }
}

std::filesystem::path Reader::Resolved(const std::filesystem::path& path) const {
  const bool is_url = path.native().contains("://");
  return path.empty() || is_url ? path : (sources_.directory / path).lexically_normal();
}

void Reader::ReportUnknownVariables() {
  std::vector<std::string> endings;
  endings.reserve(known_variables_.size());
  for (const std::string& known : known_variables_) endings.push_back(known.substr(kPrefix.size()));
  const auto nearest = [&](const std::string& name) -> std::optional<std::string> {
    if (!name.starts_with(kPrefix) || Contains(known_variables_, name)) return std::nullopt;
    // Others may own variables of this prefix: container platforms name services this way.
    return NearestName(name.substr(kPrefix.size()), endings);
  };
  for (const auto& [name, text] : sources_.environment) {
    if (const auto meant = nearest(name)) {
      Report({.source = name},
             fmt::format("is not a setting; did you mean {}{}?", kPrefix, *meant));
    }
  }
  for (const auto& [name, variable] : sources_.file_variables) {
    if (const auto meant = nearest(name)) {
      Report(variable.position,
             fmt::format("{} is not a setting; did you mean {}{}?", name, kPrefix, *meant));
    }
  }
}

Problems Reader::Finish() {
  if (parsed_) ReportUnknownVariables();
  const auto order = [&](const Problem& problem) {
    const Position& at = problem.position;
    return std::tuple(at.source != sources_.file, at.line == 0, std::string_view(at.source),
                      at.line, at.column, std::string_view(problem.message));
  };
  std::ranges::sort(problems_, {}, order);
  return std::move(problems_);
}

}  // namespace spillway::config
