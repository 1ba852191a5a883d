#pragma once

#include <memory>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "config/outline.h"
#include "config/reader.h"

namespace spillway::config {

/// A value of a section whose type only its declarer knows. Copies share it; it does not change.
class AnyValue {
 public:
  AnyValue() = default;
  template <class T>
  explicit AnyValue(T value) : held_(std::make_shared<const Held<T>>(std::move(value))) {}

  /// The value, which must be of type T; what is empty holds T's defaults.
  template <class T>
  const T& As() const {
    static const T kNothing{};
    return held_ == nullptr ? kNothing : dynamic_cast<const Held<T>&>(*held_).value;
  }

  /// What is empty equals the defaults of every type.
  bool operator==(const AnyValue& other) const {
    if (held_ == other.held_) return true;
    if (held_ == nullptr) return other.held_->IsDefault();
    return other.held_ == nullptr ? held_->IsDefault() : held_->Equals(*other.held_);
  }

 private:
  struct Anything {
    virtual ~Anything() = default;
    virtual bool Equals(const Anything& other) const = 0;
    virtual bool IsDefault() const = 0;
  };
  template <class T>
  struct Held final : Anything {
    explicit Held(T held) : value(std::move(held)) {}
    bool Equals(const Anything& other) const override {
      return typeid(other) == typeid(*this) && static_cast<const Held&>(other).value == value;
    }
    bool IsDefault() const override { return value == T{}; }
    T value;
  };

  std::shared_ptr<const Anything> held_;
};

/// A declared section without its type: see Section and SectionOf. Immutable, thread-safe.
class AnySection {
 public:
  virtual ~AnySection() = default;

  virtual std::vector<std::string> FieldNames() const = 0;
  /// As Section::Read, ReadFields and Check.
  virtual void Read(const YamlNode* node, const std::string& path, Reader& reader,
                    AnyValue& value) const = 0;
  virtual void ReadFields(const YamlNode* node, const std::string& path, Reader& reader,
                          AnyValue& value) const = 0;
  virtual void Check(const std::string& path, Reader& reader, const AnyValue& value) const = 0;
  virtual Outline Describe(const AnyValue& value) const = 0;
};

}  // namespace spillway::config
