#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/env_file.h"
#include "config/problem.h"
#include "config/yaml.h"

namespace spillway::config {

/// Environment variables by name.
using Environment = std::map<std::string, std::string, std::less<>>;

/// Where a configuration comes from.
struct Sources {
  std::string file;                 ///< As problems name it.
  std::string text;                 ///< The YAML.
  std::filesystem::path directory;  ///< What relative paths in any of the sources are relative to.
  Environment environment;
  FileVariables file_variables;  ///< Count where the environment has no such variable.
};

/// A value that variables gave, which may be a secret.
struct VariableText {
  std::string written;  ///< What is shown: the file's text, which names them, or "(secret)".
  std::string value;
};

/// By the path of the field.
using VariableTexts = std::map<std::string, VariableText>;

/// What reading a configuration shares between its fields: variables, and the problems found.
class Reader {
 public:
  explicit Reader(const Sources& sources) : sources_(sources) {}

  /// Parses the file. Null where it is empty or no YAML.
  const YamlNode* ParseFile();
  bool parsed() const { return parsed_; }

  /// The value that the environment gives the field of that path, or null. `structured` fields take
  /// YAML ("[a, b]"), others their text as it is.
  const YamlNode* FindOverride(const std::string& path, std::span<const std::string> more_variables,
                               bool structured);

  /// Notes that the values of the map came out of a variable and may be secrets, once they are read.
  void Conceal(const YamlNode& map, const std::string& path);

  /// The text of a scalar, with ${VARIABLE} replaced by the environment's where `substitute`.
  /// Reports other kinds of nodes, naming what is expected, and variables that are not set.
  std::optional<std::string> Text(const YamlNode& node, const std::string& path, bool substitute,
                                  std::string_view expectation);

  /// Reports that the value of `node` is not what is expected. Shows it unless it is secret.
  void ReportValue(const YamlNode& node, const std::string& path, bool secret,
                   std::string_view expectation, const std::optional<std::string>& nearest = {});
  void Report(const Position& position, std::string message);
  /// Reports that values, each good by itself, do not fit together.
  void ReportMisfit(const Position& position, std::string message) {
    Report(position, std::move(message));
    ++misfits_;
  }

  const VariableTexts& from_variables() const { return from_variables_; }

  size_t problem_count() const { return problems_.size(); }
  /// Of values that are no good by themselves.
  size_t value_problem_count() const { return problems_.size() - misfits_; }

  /// Remembers where a field was given, for problems that show only later.
  void Given(const std::string& path, const Position& position);
  /// Where the field was given, or else the section or list that it is in.
  Position PositionOf(const std::string& path) const;
  bool IsGiven(const std::string& path) const { return given_.contains(path); }

  /// Resolves a path against the directory of the file; URLs stay as they are.
  std::filesystem::path Resolved(const std::filesystem::path& path) const;

  /// All problems, sorted. If the file could be parsed, variables that no field has asked for are
  /// among them.
  Problems Finish();

 private:
  struct Variable {
    Position position;
    std::string_view text;
  };

  std::optional<Variable> FindVariable(std::string_view name);
  /// The first of them that the environment has, or else the file of variables.
  std::optional<Variable> FindFirst(std::span<const std::string> names);
  std::optional<std::string> Substituted(const YamlNode& node, const std::string& path);
  const YamlNode* Keep(const Position& position, std::string_view text, bool structured);
  void ReportUnknownVariables();

  const Sources& sources_;
  bool parsed_ = false;
  std::vector<std::unique_ptr<Document>> documents_;
  Problems problems_;
  size_t misfits_ = 0;
  std::map<std::string, Position> given_;
  VariableTexts from_variables_;
  std::vector<std::string> known_variables_;
};

}  // namespace spillway::config
