#pragma once

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

#include "config/shape.h"

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

/// The path of a field inside a section ("engine.threads").
std::string FieldPath(const std::string& section, std::string_view field);

/// Reports a key that is no field.
void ReportUnknownField(const YamlNode::Entry& entry, const std::string& path,
                        const std::vector<std::string>& known, Reader& reader);

/// A field of T without its type.
template <class T>
class AnyField {
 public:
  explicit AnyField(std::string name) { outline_.name = std::move(name); }
  virtual ~AnyField() = default;

  const std::string& name() const { return outline_.name; }
  /// Everything but the value.
  const OutlineField& outline() const { return outline_; }

  virtual void Read(const YamlNode* node, const std::string& path, Reader& reader,
                    T& into) const = 0;
  virtual Outline Describe(const T& from) const = 0;
  /// Whether it is required and `from` has nothing.
  virtual bool IsMissing(const T& from) const = 0;

 protected:
  OutlineField outline_;
};

/// The declaration of the field that a member V of T holds. The default is what a T holds when it
/// is constructed.
template <class T, class V, class Inner>
class Field final : public AnyField<T> {
 public:
  Field(std::string name, V T::* member, std::unique_ptr<Shape<V>> shape,
        ScalarShape<Inner>* scalar)
      : AnyField<T>(std::move(name)), member_(member), shape_(std::move(shape)), scalar_(scalar) {}

  Field& Help(std::string help) {
    this->outline_.help = std::move(help);
    return *this;
  }
  /// There is no default: where it would be empty, it must be given.
  Field& Required()
    requires std::equality_comparable<V>
  {
    this->outline_.required = true;
    return *this;
  }
  /// Its value is shown nowhere.
  Field& Secret() {
    this->outline_.secret = true;
    shape_->Conceal();
    return *this;
  }
  /// It stands live in the starting file.
  Field& Essential() {
    this->outline_.essential = true;
    return *this;
  }
  /// An environment variable that gives it too, where the one named after its path does not.
  Field& Variable(std::string name) {
    this->outline_.variables.push_back(std::move(name));
    return *this;
  }
  /// Both inclusive.
  Field& Between(Inner least, Inner most)
    requires ScalarValue<Inner>
  {
    scalar_->least = std::move(least);
    scalar_->most = std::move(most);
    return *this;
  }
  Field& AtLeast(Inner least)
    requires ScalarValue<Inner>
  {
    scalar_->least = std::move(least);
    return *this;
  }
  Field& OneOf(std::vector<std::pair<std::string, Inner>> choices)
    requires ScalarValue<Inner>
  {
    scalar_->choices = std::move(choices);
    return *this;
  }
  /// Other names of its choices, which only environment variables may use.
  Field& Aliases(std::vector<std::pair<std::string, Inner>> aliases)
    requires ScalarValue<Inner>
  {
    scalar_->aliases = std::move(aliases);
    return *this;
  }
  Field& Check(std::function<Complaint(const Inner&)> check)
    requires ScalarValue<Inner>
  {
    scalar_->check = std::move(check);
    return *this;
  }

  void Read(const YamlNode* node, const std::string& path, Reader& reader, T& into) const override {
    const OverrideForm form = shape_->override_form();
    if (form != OverrideForm::kNone) {
      const YamlNode* override =
          reader.FindOverride(path, this->outline_.variables, form == OverrideForm::kYaml);
      if (override != nullptr) node = override;
    }
    if (node != nullptr) reader.Given(path, node->position);
    shape_->Read(node, path, reader, into.*member_);
  }

  Outline Describe(const T& from) const override { return shape_->Describe(from.*member_); }

  bool IsMissing(const T& from) const override {
    if constexpr (std::equality_comparable<V>) {
      return this->outline_.required && from.*member_ == V{};
    }
    return false;
  }

 private:
  V T::* member_;
  std::unique_ptr<Shape<V>> shape_;
  ScalarShape<Inner>* scalar_;
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

  /// Lets a bare scalar stand for a section that gives only this field.
  void Shorthand(std::string field) { shorthand_ = std::move(field); }

  /// Checks values against each other, once each is good by itself.
  void Rule(std::function<void(const T&, Complaints&)> rule) { rules_.push_back(std::move(rule)); }

  void Read(const YamlNode* node, const std::string& path, Reader& reader,
            T& value) const override {
    const size_t problems = reader.problem_count();
    const bool shorthand =
        node != nullptr && node->kind == YamlNode::Kind::kScalar && !shorthand_.empty();
    if (node != nullptr && !shorthand) node = CheckedMap(*node, path, reader);
    for (const auto& field : fields_) {
      const YamlNode* given = node == nullptr ? nullptr
                              : shorthand     ? (field->name() == shorthand_ ? node : nullptr)
                                              : node->Find(field->name());
      const std::string field_path = FieldPath(path, field->name());
      field->Read(given, field_path, reader, value);
      if (!reader.IsGiven(field_path) && field->IsMissing(value)) {
        reader.Report(reader.PositionOf(path),
                      field_path + " is missing; add it: " + field->Describe(value).expectation);
      }
    }
    if (reader.problem_count() != problems) return;
    Complaints complaints(reader, path);
    for (const auto& rule : rules_) rule(value, complaints);
  }

  Outline Describe(const T& value) const override {
    Outline outline{.kind = Outline::Kind::kSection, .expectation = Expectation()};
    outline.shorthand = shorthand_;
    for (const auto& field : fields_) {
      OutlineField& described = outline.fields.emplace_back(field->outline());
      described.outline = field->Describe(value);
    }
    return outline;
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

  std::vector<std::string> FieldNames() const {
    std::vector<std::string> names;
    names.reserve(fields_.size());
    for (const auto& field : fields_) names.push_back(field->name());
    return names;
  }

  std::string Expectation() const {
    const std::string section = "a section of " + Alternatives(FieldNames());
    return shorthand_.empty() ? section : "a " + shorthand_ + ", or " + section;
  }

  /// The node where it is a map, with its unknown keys reported; null where it is none.
  const YamlNode* CheckedMap(const YamlNode& node, const std::string& path, Reader& reader) const {
    if (node.kind == YamlNode::Kind::kNull) return nullptr;
    if (node.kind != YamlNode::Kind::kMap) {
      reader.Report(node.position,
                    (path.empty() ? "the file" : path) +
                        (node.kind == YamlNode::Kind::kList ? " is a list" : " is a single value") +
                        "; use " + Expectation());
      return nullptr;
    }
    const std::vector<std::string> known = FieldNames();
    for (const YamlNode::Entry& entry : node.entries) {
      if (std::ranges::find(known, entry.key) == known.end()) {
        ReportUnknownField(entry, path, known, reader);
      }
    }
    return &node;
  }

  std::vector<std::unique_ptr<AnyField<T>>> fields_;
  std::string shorthand_;
  std::vector<std::function<void(const T&, Complaints&)>> rules_;
};

}  // namespace spillway::config
