#pragma once

#include <algorithm>
#include <concepts>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/any_section.h"
#include "config/field.h"

namespace spillway::config {

/// Takes the complaints of a section's rules about values that do not fit together.
class Complaints {
 public:
  Complaints(Reader& reader, std::string path) : reader_(reader), path_(std::move(path)) {}

  /// `message` goes on from the path of `field` ("is 40s, …; use …"). The problem stands where the
  /// field is given, or else the first of `related`.
  void About(std::string_view field, std::string_view message,
             std::initializer_list<std::string_view> related = {});

 private:
  Reader& reader_;
  std::string path_;
};

/// What a section's fields are, each declared once: from here come parser, checks, overrides, JSON
/// Schema, starting file and documentation.
///
///   Section<EngineSettings> section;
///   section.Field("threads", &EngineSettings::threads).Help("Worker threads.").Between(0, 256);
///   section.Field("backoff", &EngineSettings::backoff, DeclareBackoff());
///
/// Members may be texts, paths, characters, whole numbers, booleans, durations (milliseconds),
/// ByteSize, enumerations (OneOf), std::optional and lists of those; and sections, lists of
/// sections and maps of sections or of single values by name.
template <class T>
class Section final : public Shape<T> {
 public:
  template <ScalarValue V>
  auto& Field(std::string name, V T::* member) {
    auto shape = std::make_unique<ScalarShape<V>>();
    ScalarShape<V>* scalar = shape.get();
    return Add<V, V>(std::move(name), member, std::move(shape), scalar);
  }

  template <ScalarValue V>
  auto& Field(std::string name, std::optional<V> T::* member) {
    return AddWrapped<OptionalShape<V>, V>(std::move(name), member);
  }

  template <ScalarValue V>
  auto& Field(std::string name, std::vector<V> T::* member) {
    return AddWrapped<ListShape<V>, V>(std::move(name), member);
  }

  template <ScalarValue V>
  auto& Field(std::string name, std::map<std::string, V> T::* member) {
    return AddWrapped<MapShape<V>, V>(std::move(name), member);
  }

  template <class V>
  auto& Field(std::string name, V T::* member, Section<V> section) {
    return Add<V, V>(std::move(name), member, Moved(std::move(section)));
  }

  template <class V>
  auto& Field(std::string name, std::vector<V> T::* member, Section<V> element) {
    return Add<std::vector<V>, V>(std::move(name), member,
                                  std::make_unique<ListShape<V>>(Moved(std::move(element))));
  }

  template <class V>
  auto& Field(std::string name, std::map<std::string, V> T::* member, Section<V> element) {
    return Add<std::map<std::string, V>, V>(
        std::move(name), member, std::make_unique<MapShape<V>>(Moved(std::move(element))));
  }

  /// Adds the fields and rules of a section of a base class of T.
  template <class Base>
    requires std::derived_from<T, Base>
  void Include(Section<Base> section) {
    for (auto& field : section.TakeFields())
      fields_.push_back(std::make_unique<InheritedField<T, Base>>(std::move(field)));
    for (auto& rule : section.TakeRules()) rules_.push_back(std::move(rule));
  }

  /// A field that holds a section of a type that only its declarer knows.
  void Field(std::string name, std::map<std::string, AnyValue> T::* member,
             std::shared_ptr<const AnySection> section, std::string help) {
    fields_.push_back(std::make_unique<NamedSectionField<T>>(std::move(name), member,
                                                             std::move(section), std::move(help)));
  }

  /// A field that is kept as its texts; see TextsField.
  void Texts(std::string name, std::map<std::string, std::vector<std::string>> T::* member,
             Outline outline, std::string help) {
    fields_.push_back(std::make_unique<TextsField<T>>(std::move(name), member, std::move(outline),
                                                      std::move(help)));
  }

  using Options = std::vector<std::pair<std::string, std::shared_ptr<const AnySection>>>;

  /// Fields that depend on a choice: the text `which`, a field that is declared before, names one
  /// of `options`, whose fields then stand in this section beside its own, and are kept in
  /// `chosen`.
  void Choose(std::string field, std::string T::* which, AnyValue T::* chosen, Options options) {
    choice_field_ = std::move(field);
    which_ = which;
    chosen_ = chosen;
    options_ = std::move(options);
  }

  std::vector<std::unique_ptr<AnyField<T>>> TakeFields() { return std::move(fields_); }
  std::vector<std::function<void(const T&, Complaints&)>> TakeRules() { return std::move(rules_); }

  /// Lets a bare scalar stand for a section that gives only this field.
  void Shorthand(std::string field) { shorthand_ = std::move(field); }

  /// Checks values against each other, once each is good by itself.
  void Rule(std::function<void(const T&, Complaints&)> rule) { rules_.push_back(std::move(rule)); }

  void Read(const YamlNode* node, const std::string& path, Reader& reader,
            T& value) const override {
    const size_t problems = reader.value_problem_count();
    const bool shorthand =
        node != nullptr && node->kind == YamlNode::Kind::kScalar && !shorthand_.empty();
    if (node != nullptr && !shorthand) node = OnlyMap(*node, path, reader);
    if (shorthand) {
      ReadFields(nullptr, node, path, reader, value);
    } else {
      ReadFields(node, nullptr, path, reader, value);
      if (node != nullptr) ReportUnknown(*node, path, reader, value);
    }
    if (reader.value_problem_count() == problems) Check(path, reader, value);
  }

  /// The fields alone, without looking for others, or at the rules. A bare scalar is that of the
  /// shorthand's field.
  void ReadFields(const YamlNode* node, const YamlNode* scalar, const std::string& path,
                  Reader& reader, T& value) const {
    if (which_ != nullptr && (value.*which_).empty()) value.*which_ = options_.front().first;
    for (const auto& field : fields_) {
      const YamlNode* given = node != nullptr               ? node->Find(field->name())
                              : field->name() == shorthand_ ? scalar
                                                            : nullptr;
      const std::string field_path = FieldPath(path, field->name());
      field->Read(given, field_path, reader, value);
      if (!reader.IsGiven(field_path) && field->IsMissing(value)) {
        reader.Report(reader.PositionOf(path),
                      field_path + " is missing; add it: " + field->Describe(value).expectation);
      }
    }
    if (const AnySection* option = ChosenOf(value))
      option->ReadFields(node, path, reader, value.*chosen_);
  }

  /// The rules, for values each of which is good by itself.
  void Check(const std::string& path, Reader& reader, const T& value) const {
    Complaints complaints(reader, path);
    for (const auto& rule : rules_) rule(value, complaints);
    if (const AnySection* option = ChosenOf(value)) option->Check(path, reader, value.*chosen_);
  }

  Outline Describe(const T& value) const override {
    if (which_ != nullptr && (value.*which_).empty()) {
      T chosen = value;
      chosen.*which_ = options_.front().first;
      return Describe(chosen);
    }
    Outline outline{.kind = Outline::Kind::kSection, .expectation = Expectation()};
    outline.shorthand = shorthand_;
    for (const auto& field : fields_) {
      OutlineField& described = outline.fields.emplace_back(field->outline());
      described.outline = field->Describe(value);
    }
    if (const AnySection* option = ChosenOf(value)) {
      for (OutlineField& field : option->Describe(value.*chosen_).fields)
        outline.fields.push_back(std::move(field));
    }
    outline.choice = choice_field_;
    for (const auto& [name, option] : options_)
      outline.options.push_back({name, option->Describe({}).fields});
    return outline;
  }

  std::vector<std::string> FieldNames() const {
    std::vector<std::string> names;
    names.reserve(fields_.size());
    for (const auto& field : fields_) names.push_back(field->name());
    return names;
  }

  OverrideForm override_form() const override { return OverrideForm::kNone; }
  void Conceal() override {}

 private:
  template <class V>
  static std::unique_ptr<Shape<V>> Moved(Section<V> section) {
    return std::make_unique<Section<V>>(std::move(section));
  }

  template <class V, class Inner>
  auto& Add(std::string name, V T::* member, std::unique_ptr<Shape<V>> shape,
            ScalarShape<Inner>* scalar = nullptr) {
    auto field = std::make_unique<config::Field<T, V, Inner>>(std::move(name), member,
                                                              std::move(shape), scalar);
    auto& declared = *field;
    fields_.push_back(std::move(field));
    return declared;
  }

  template <class Wrapper, class Inner, class V>
  auto& AddWrapped(std::string name, V T::* member) {
    auto inner = std::make_unique<ScalarShape<Inner>>();
    ScalarShape<Inner>* scalar = inner.get();
    return Add<V, Inner>(std::move(name), member, std::make_unique<Wrapper>(std::move(inner)),
                         scalar);
  }

  std::string Expectation() const {
    const std::string section = "a section of " + Alternatives(FieldNames());
    return shorthand_.empty() ? section : "a " + shorthand_ + ", or " + section;
  }

  /// The node where it is a map; null where it is none, which is reported.
  const YamlNode* OnlyMap(const YamlNode& node, const std::string& path, Reader& reader) const {
    if (node.kind == YamlNode::Kind::kNull) return nullptr;
    if (node.kind == YamlNode::Kind::kMap) return &node;
    reader.Report(node.position,
                  (path.empty() ? "the file" : path) +
                      (node.kind == YamlNode::Kind::kList ? " is a list" : " is a single value") +
                      "; use " + Expectation());
    return nullptr;
  }

  /// Reports the keys that are no field of the section as it is chosen.
  void ReportUnknown(const YamlNode& node, const std::string& path, Reader& reader,
                     const T& value) const {
    std::vector<std::string> known = FieldNames();
    if (const AnySection* option = ChosenOf(value)) {
      for (std::string& name : option->FieldNames()) known.push_back(std::move(name));
    }
    for (const YamlNode::Entry& entry : node.entries) {
      if (std::ranges::find(known, entry.key) != known.end()) continue;
      const auto other = std::ranges::find_if(options_, [&](const auto& option) {
        const std::vector<std::string> names = option.second->FieldNames();
        return std::ranges::find(names, entry.key) != names.end();
      });
      if (other == options_.end()) {
        ReportUnknownField(entry, path, known, reader);
      } else {
        reader.Report(entry.key_position, FieldPath(path, entry.key) + " belongs to " +
                                              choice_field_ + " " + other->first + "; set it");
      }
    }
  }

  const AnySection* ChosenOf(const T& value) const {
    if (which_ == nullptr) return nullptr;
    for (const auto& [name, option] : options_) {
      if (name == value.*which_) return option.get();
    }
    return nullptr;
  }

  std::vector<std::unique_ptr<AnyField<T>>> fields_;
  std::string shorthand_;
  std::vector<std::function<void(const T&, Complaints&)>> rules_;
  std::string choice_field_;
  std::string T::* which_ = nullptr;
  AnyValue T::* chosen_ = nullptr;
  Options options_;
};

/// An AnySection whose values are of type T.
template <class T>
class SectionOf final : public AnySection {
 public:
  explicit SectionOf(Section<T> section) : section_(std::move(section)) {}

  std::vector<std::string> FieldNames() const override { return section_.FieldNames(); }
  void Read(const YamlNode* node, const std::string& path, Reader& reader,
            AnyValue& value) const override {
    T read = value.As<T>();
    section_.Read(node, path, reader, read);
    value = AnyValue(std::move(read));
  }
  void ReadFields(const YamlNode* node, const std::string& path, Reader& reader,
                  AnyValue& value) const override {
    T read = value.As<T>();
    section_.ReadFields(node, nullptr, path, reader, read);
    value = AnyValue(std::move(read));
  }
  void Check(const std::string& path, Reader& reader, const AnyValue& value) const override {
    section_.Check(path, reader, value.As<T>());
  }
  Outline Describe(const AnyValue& value) const override {
    return section_.Describe(value.As<T>());
  }

 private:
  const Section<T> section_;
};

}  // namespace spillway::config
