#pragma once

#include <expected>
#include <utility>

#include "config/reader.h"
#include "config/section.h"

namespace spillway::config {

/// Reads a configuration: flags before the environment before the file before the defaults. `value`
/// holds the defaults. Either everything in it is good, or all that is wrong comes back at once.
/// `from_variables` takes what variables gave.
template <class T>
std::expected<T, Problems> Load(const Section<T>& section, const Sources& sources, T value = {},
                                VariableTexts* from_variables = nullptr) {
  Reader reader(sources);
  const YamlNode* root = reader.ParseFile();
  if (reader.parsed()) section.Read(root, "", reader, value);
  if (from_variables != nullptr) *from_variables = reader.from_variables();
  Problems problems = reader.Finish();
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return value;
}

}  // namespace spillway::config
