#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace spillway::config {

struct OutlineField;
struct OutlineEntry;
struct OutlineOption;

/// A value and all that is known of its kind: what documents about the configuration are written
/// from.
struct Outline {
  enum class Kind {
    kText,
    kPath,
    kCharacter,
    kInteger,
    kBoolean,
    kDuration,
    kSize,
    kChoice,
    kSection,
    kList,
    kMap,
  };

  Kind kind = Kind::kText;
  bool nullable = false;
  std::string expectation;  ///< In words: "a whole number from 0 to 256".

  // Of scalars.
  std::optional<std::string> value;        ///< As its text; absent for null.
  bool names_variables = false;            ///< The value is a text of the file: "${NAME}".
  std::optional<std::string> least, most;  ///< Inclusive bounds, as values are written.
  std::vector<std::string> choices;

  // Of sections.
  std::vector<OutlineField> fields;
  std::string
      shorthand;  ///< The field that a bare scalar in the section's place stands for; or empty.

  std::string choice;  ///< The field that says which of the options' fields there are; or empty.
  std::vector<OutlineOption> options;

  // Of lists and maps.
  std::vector<Outline> element;       ///< One: what each element is like, with its defaults.
  std::vector<Outline> items;         ///< The values of a list.
  std::vector<OutlineEntry> entries;  ///< The values of a map.

  bool IsScalar() const { return kind < Kind::kSection; }
};

/// A named field of a section.
struct OutlineField {
  std::string name;
  std::string help;
  bool required = false;
  bool secret = false;
  bool essential = false;  ///< Stands live in the starting file; others stand there commented out.
  std::vector<std::string>
      variables;  ///< Environment variables it takes besides the one named after its path.
  Outline outline;
};

struct OutlineEntry {
  std::string key;
  Outline outline;
};

/// The fields that a section has where its choice is `name`, with their defaults.
struct OutlineOption {
  std::string name;
  std::vector<OutlineField> fields;
};

/// `outline` with texts of the file, by their paths, in place of the values that variables gave
/// them.
Outline WithVariablesNamed(Outline outline, const std::map<std::string, std::string>& texts,
                           const std::string& path = "");

/// The environment variable that overrides the field of that path: SPILLWAY_ENGINE_THREADS for
/// engine.threads.
std::string VariableName(const std::string& path);

}  // namespace spillway::config
