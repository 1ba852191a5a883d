#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/control_characters.h"
#include "base/nearest_name.h"
#include "config/outline.h"
#include "config/reader.h"
#include "config/scalar.h"

namespace spillway::config {

/// Why a check refuses a value: the rest of a sentence that starts with the field's path ("is …;
/// use …"). Absent where the value is good.
using Complaint = std::optional<std::string>;

/// How an override may give a value.
enum class OverrideForm {
  kNone,  ///< Only its parts have names of their own.
  kText,
  kYaml,
};

/// How values of one C++ type are read, checked and described. Immutable once declared.
template <class V>
class Shape {
 public:
  virtual ~Shape() = default;
  /// Reads `node` into `value`, which holds the default; a null pointer leaves the default, but
  /// still applies overrides of its parts. Reports problems to `reader`.
  virtual void Read(const YamlNode* node, const std::string& path, Reader& reader,
                    V& value) const = 0;
  virtual Outline Describe(const V& value) const = 0;
  virtual OverrideForm override_form() const = 0;
  /// From now on, no problem shows the value.
  virtual void Conceal() = 0;
};

/// "csv, json or parquet".
std::string Alternatives(const std::vector<std::string>& names);

/// A single value.
template <class V>
class ScalarShape final : public Shape<V> {
 public:
  std::optional<V> least, most;
  std::vector<std::pair<std::string, V>> choices;
  /// Other names of choices, which only flags and environment variables may use.
  std::vector<std::pair<std::string, V>> aliases;
  std::function<Complaint(const V&)> check;
  /// No control characters: the system would cut a name at NUL.
  bool one_line = Scalar<V>::kKind == Outline::Kind::kPath;

  void Read(const YamlNode* node, const std::string& path, Reader& reader,
            V& value) const override {
    if (node != nullptr) ReadGiven(*node, path, reader, value);
    if constexpr (std::is_same_v<V, std::filesystem::path>) value = reader.Resolved(value);
  }

  Outline Describe(const V& value) const override {
    Outline outline{.kind = choices.empty() ? Scalar<V>::kKind : Outline::Kind::kChoice,
                    .expectation = Expectation(),
                    .value = Format(value)};
    if (least) outline.least = Format(*least);
    if (most) outline.most = Format(*most);
    outline.choices = ChoiceNames();
    return outline;
  }

  OverrideForm override_form() const override { return OverrideForm::kText; }
  void Conceal() override { concealed_ = true; }

 private:
  static constexpr bool kSubstitutes =
      Scalar<V>::kKind == Outline::Kind::kText || Scalar<V>::kKind == Outline::Kind::kPath;
  static constexpr bool kNeverQuoted =
      Scalar<V>::kKind == Outline::Kind::kInteger || Scalar<V>::kKind == Outline::Kind::kBoolean;

  void ReadGiven(const YamlNode& node, const std::string& path, Reader& reader, V& value) const {
    const auto text = reader.Text(node, path, kSubstitutes, Expectation());
    if (!text) return;
    if (one_line && HasControlCharacter(*text)) {
      reader.Report(node.position,
                    path + " has a control character, such as the end of a line; remove it");
      return;
    }
    // A value that a variable gave may be a secret, whatever the field is.
    const bool concealed = concealed_ || *text != node.text;
    const std::optional<V> parsed = Parse(*text, node.style);
    if (!parsed || (least && *parsed < *least) || (most && *most < *parsed)) {
      const auto nearest = NearestName(node.text, ChoiceNames());
      const bool quoted = kNeverQuoted && node.style == YamlNode::Style::kQuoted;
      reader.ReportValue(node, path, concealed, Expectation() + (quoted ? ", without quotes" : ""),
                         nearest);
      return;
    }
    if (const Complaint complaint = check ? check(*parsed) : std::nullopt) {
      reader.Report(node.position,
                    path + " " + (concealed ? "is not usable; use " + Expectation() : *complaint));
      return;
    }
    value = *parsed;
  }

  std::optional<V> Parse(const std::string& text, YamlNode::Style style) const {
    if (kNeverQuoted && style == YamlNode::Style::kQuoted) return std::nullopt;
    if (choices.empty()) return Scalar<V>::Parse(text);
    for (const auto& [name, choice] : choices) {
      if (name == text) return choice;
    }
    if (style != YamlNode::Style::kVerbatim) return std::nullopt;
    // Environments often have capitals, as in LOG_LEVEL=WARN.
    for (const auto* names : {&choices, &aliases}) {
      for (const auto& [name, choice] : *names) {
        if (EqualButForCase(name, text)) return choice;
      }
    }
    return std::nullopt;
  }

  static bool EqualButForCase(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, Lower, Lower);
  }
  static char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

  std::string Format(const V& value) const {
    for (const auto& [name, choice] : choices) {
      if (choice == value) return name;
    }
    return Scalar<V>::Format(value);
  }

  std::vector<std::string> ChoiceNames() const {
    std::vector<std::string> names;
    names.reserve(choices.size());
    for (const auto& [name, choice] : choices) names.push_back(name);
    return names;
  }

  std::string Expectation() const {
    if (!choices.empty()) return Alternatives(ChoiceNames());
    std::string expectation(Scalar<V>::kExpectation);
    if (least && most) return expectation + " from " + Format(*least) + " to " + Format(*most);
    if (least) return expectation + " of at least " + Format(*least);
    if constexpr (requires { Scalar<V>::kExamples; }) {
      return expectation + " such as " + std::string(Scalar<V>::kExamples);
    }
    return expectation;
  }

  bool concealed_ = false;
};

/// A value that may be absent: null in the file, or a variable with an empty value.
template <class V>
class OptionalShape final : public Shape<std::optional<V>> {
 public:
  explicit OptionalShape(std::unique_ptr<Shape<V>> inner) : inner_(std::move(inner)) {}

  void Read(const YamlNode* node, const std::string& path, Reader& reader,
            std::optional<V>& value) const override {
    if (node != nullptr && IsNull(*node)) {
      value.reset();
    } else if (node != nullptr || value) {
      V inner = value.value_or(V{});
      const size_t problems = reader.problem_count();
      inner_->Read(node, path, reader, inner);
      if (reader.problem_count() == problems) value = std::move(inner);
    }
  }

  Outline Describe(const std::optional<V>& value) const override {
    Outline outline = inner_->Describe(value.value_or(V{}));
    outline.nullable = true;
    if (!value) outline.value.reset();
    return outline;
  }

  OverrideForm override_form() const override { return inner_->override_form(); }
  void Conceal() override { inner_->Conceal(); }

 private:
  static bool IsNull(const YamlNode& node) {
    return node.kind == YamlNode::Kind::kNull ||
           (node.style == YamlNode::Style::kVerbatim && node.text.empty());
  }

  std::unique_ptr<Shape<V>> inner_;
};

/// A list. A list that is given replaces the whole default.
template <class V>
class ListShape final : public Shape<std::vector<V>> {
 public:
  explicit ListShape(std::unique_ptr<Shape<V>> element) : element_(std::move(element)) {}

  void Read(const YamlNode* node, const std::string& path, Reader& reader,
            std::vector<V>& value) const override {
    if (node != nullptr && node->kind != YamlNode::Kind::kList) {
      ReportNoList(*node, path, reader);
      node = nullptr;
    }
    if (node != nullptr) value.assign(node->items.size(), V{});
    for (size_t i = 0; i < value.size(); ++i) {
      const std::string item_path = path + "[" + std::to_string(i) + "]";
      const YamlNode* item = node == nullptr ? nullptr : node->items[i];
      if (item != nullptr) reader.Given(item_path, item->position);
      element_->Read(item, item_path, reader, value[i]);
    }
  }

  Outline Describe(const std::vector<V>& value) const override {
    Outline outline{.kind = Outline::Kind::kList, .expectation = Expectation()};
    outline.element.push_back(element_->Describe(V{}));
    for (const V& item : value) outline.items.push_back(element_->Describe(item));
    return outline;
  }

  OverrideForm override_form() const override { return OverrideForm::kYaml; }
  void Conceal() override { element_->Conceal(); }

 private:
  std::string Expectation() const { return "a list, each " + element_->Describe(V{}).expectation; }

  void ReportNoList(const YamlNode& node, const std::string& path, Reader& reader) const {
    if (node.kind == YamlNode::Kind::kNull) {
      reader.Report(node.position, path + " has no value; use " + Expectation() + ", or []");
    } else if (node.kind == YamlNode::Kind::kMap) {
      reader.Report(node.position, path + " is a section; use " + Expectation());
    } else {
      reader.Report(node.position, path + " is a single value; use " + Expectation());
    }
  }

  std::unique_ptr<Shape<V>> element_;
};

/// Named values. Values that are given replace the whole default. Names are made of lower-case
/// letters, digits, - and _; names of single values, which are in no variable's name, may have
/// capitals too.
template <class V>
class MapShape final : public Shape<std::map<std::string, V>> {
 public:
  explicit MapShape(std::unique_ptr<Shape<V>> element) : element_(std::move(element)) {}

  void Read(const YamlNode* node, const std::string& path, Reader& reader,
            std::map<std::string, V>& value) const override {
    if (node != nullptr && node->kind != YamlNode::Kind::kMap) {
      reader.Report(node->position, path + " is no section of names; use " + Expectation());
      node = nullptr;
    }
    if (node != nullptr) {
      value.clear();
      for (const YamlNode::Entry& entry : node->entries) {
        const std::string entry_path = path + "." + entry.key;
        if (!IsName(entry.key)) {
          reader.Report(entry.key_position,
                        path + " has the name " + Quoted(entry.key) +
                            (of_single_values() ? "; use letters, digits, _ and -, no - first"
                                                : "; use lower-case letters, digits, - and _, a "
                                                  "letter or digit first"));
          continue;
        }
        reader.Given(entry_path, entry.key_position);
        element_->Read(entry.value, entry_path, reader, value[entry.key]);
      }
    } else {
      for (auto& [key, element] : value) {
        std::string entry_path = path;
        entry_path.append(".").append(key);
        element_->Read(nullptr, entry_path, reader, element);
      }
    }
  }

  Outline Describe(const std::map<std::string, V>& value) const override {
    Outline outline{.kind = Outline::Kind::kMap, .expectation = Expectation()};
    outline.element.push_back(element_->Describe(V{}));
    for (const auto& [key, item] : value)
      outline.entries.push_back({key, element_->Describe(item)});
    return outline;
  }

  OverrideForm override_form() const override {
    return of_single_values() ? OverrideForm::kYaml : OverrideForm::kNone;
  }
  void Conceal() override { element_->Conceal(); }

 private:
  bool of_single_values() const { return element_->override_form() == OverrideForm::kText; }

  bool IsName(std::string_view name) const {
    const bool single = of_single_values();
    const auto plain = [single](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
             (single && ((c >= 'A' && c <= 'Z') || c == '_'));
    };
    return !name.empty() && name.size() <= 64 && plain(name[0]) &&
           std::ranges::all_of(name, [&](char c) { return plain(c) || c == '-' || c == '_'; });
  }

  std::string Expectation() const {
    return "names, each with " + element_->Describe(V{}).expectation;
  }

  std::unique_ptr<Shape<V>> element_;
};

}  // namespace spillway::config
