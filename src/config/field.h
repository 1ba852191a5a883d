#pragma once

#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/any_section.h"
#include "config/shape.h"

namespace spillway::config {

/// The path of a field inside a section ("engine.threads").
std::string FieldPath(const std::string& section, std::string_view field);

/// Reports a key that is no field.
void ReportUnknownField(const YamlNode::Entry& entry, const std::string& path,
                        const std::vector<std::string>& known, Reader& reader);

/// The texts of a field that is kept as texts, as `expected` is shaped; absent where they do not
/// read, which is reported.
std::optional<std::vector<std::string>> ReadTexts(const YamlNode& node, const Outline& expected,
                                                  const std::string& path, Reader& reader);

/// `outline` with the values that such texts give it.
Outline WithTexts(Outline outline, const std::vector<std::string>& texts);

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

/// A field that a section of a base class of T declares.
template <class T, class Base>
class InheritedField final : public AnyField<T> {
 public:
  explicit InheritedField(std::unique_ptr<AnyField<Base>> field)
      : AnyField<T>(field->name()), field_(std::move(field)) {
    this->outline_ = field_->outline();
  }

  void Read(const YamlNode* node, const std::string& path, Reader& reader, T& into) const override {
    field_->Read(node, path, reader, into);
  }
  Outline Describe(const T& from) const override { return field_->Describe(from); }
  bool IsMissing(const T& from) const override { return field_->IsMissing(from); }

 private:
  const std::unique_ptr<AnyField<Base>> field_;
};

/// One of several fields that share a member of T, a map of sections by the field's name.
template <class T>
class NamedSectionField final : public AnyField<T> {
 public:
  using Values = std::map<std::string, AnyValue>;

  NamedSectionField(std::string name, Values T::* member, std::shared_ptr<const AnySection> section,
                    std::string help)
      : AnyField<T>(std::move(name)), member_(member), section_(std::move(section)) {
    this->outline_.help = std::move(help);
  }

  void Read(const YamlNode* node, const std::string& path, Reader& reader, T& into) const override {
    if (node != nullptr) reader.Given(path, node->position);
    section_->Read(node, path, reader, (into.*member_)[this->name()]);
  }
  Outline Describe(const T& from) const override {
    const auto found = (from.*member_).find(this->name());
    return section_->Describe(found == (from.*member_).end() ? AnyValue() : found->second);
  }
  bool IsMissing(const T& /*from*/) const override { return false; }

 private:
  Values T::* const member_;
  const std::shared_ptr<const AnySection> section_;
};

/// One of several fields that share a member of T, a map of texts by the field's name: a single value
/// is one text, a list has one for each item, and values by name are texts like name=value.
template <class T>
class TextsField final : public AnyField<T> {
 public:
  using Values = std::map<std::string, std::vector<std::string>>;

  /// `outline` says which of these it is, and what is expected.
  TextsField(std::string name, Values T::* member, Outline outline, std::string help)
      : AnyField<T>(std::move(name)), member_(member), described_(std::move(outline)) {
    this->outline_.help = std::move(help);
  }

  void Read(const YamlNode* node, const std::string& path, Reader& reader, T& into) const override {
    const YamlNode* override = reader.FindOverride(path, {}, !described_.IsScalar());
    if (override != nullptr) node = override;
    if (node == nullptr) return;
    reader.Given(path, node->position);
    if (node->kind == YamlNode::Kind::kNull && described_.nullable) return;
    if (auto texts = ReadTexts(*node, described_, path, reader))
      (into.*member_)[this->name()] = *std::move(texts);
    if (override != nullptr && described_.kind == Outline::Kind::kMap)
      reader.Conceal(*override, path);
  }
  Outline Describe(const T& from) const override {
    const auto found = (from.*member_).find(this->name());
    return found == (from.*member_).end() ? described_ : WithTexts(described_, found->second);
  }
  bool IsMissing(const T& /*from*/) const override { return false; }

 private:
  Values T::* const member_;
  const Outline described_;
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
  /// What a variable gives it, a map, is shown nowhere: there may be secrets in it (docs/adr/0027).
  Field& SecretFromVariables() {
    secret_from_variables_ = true;
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
  /// It has no control characters, as paths have none: it is a URL, or a name of something outside.
  Field& OneLine()
    requires ScalarValue<Inner>
  {
    scalar_->one_line = true;
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
    const YamlNode* override =
        form == OverrideForm::kNone
            ? nullptr
            : reader.FindOverride(path, this->outline_.variables, form == OverrideForm::kYaml);
    if (override != nullptr) node = override;
    if (node != nullptr) reader.Given(path, node->position);
    shape_->Read(node, path, reader, into.*member_);
    if (override != nullptr && secret_from_variables_) reader.Conceal(*override, path);
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
  bool secret_from_variables_ = false;
};

}  // namespace spillway::config
