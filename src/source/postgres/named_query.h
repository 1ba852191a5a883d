#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace spillway::postgres_source {

/// One statement with parameters written `:name`. There are none in texts, quoted names, dollar
/// quotes and comments, nor in `::type` and `:=`. In a slice of an array, `[1:n]`, n is one: write
/// `[1 : n]`. Read with standard_conforming_strings, as QueryReader's sessions do.
class NamedQuery {
 public:
  /// kInvalidArgument for a text, name or comment without an end, for `$1`, and for a second
  /// statement. A semicolon at the end is removed.
  static Result<NamedQuery> Parse(std::string_view sql);

  /// Every parameter once, in order of appearance.
  const std::vector<std::string>& names() const { return names_; }

  /// The statement with `$1` for the first name, and so on.
  std::string WithPlaceholders() const;

  /// The statement with an expression of SQL for each name, in brackets.
  std::string With(std::span<const std::string> expressions) const;

 private:
  void Add(std::string_view name);

  std::vector<std::string> names_;
  std::vector<std::string> texts_;  ///< One more than parameters: what stands around them.
  std::vector<size_t> parameters_;  ///< Indices of names_.
};

}  // namespace spillway::postgres_source
