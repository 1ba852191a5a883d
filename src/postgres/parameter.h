#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace spillway::postgres {

/// A value for `$n` of a statement. Text is sent without a type and the server infers one, so write
/// `$1::bigint[]` where it cannot. Holds a copy of the value.
class Parameter {
 public:
  // NOLINTBEGIN(google-explicit-constructor): statements are given plain values.
  Parameter(std::nullopt_t) {}
  Parameter(std::string_view text) : value_(text) {}
  Parameter(const char* text) : value_(text) {}
  Parameter(const std::string& text) : value_(text) {}
  Parameter(bool value) : value_(value ? "t" : "f") {}
  Parameter(std::integral auto value) : value_(std::to_string(value)) {}
  /// bytea.
  Parameter(std::span<const std::byte> bytes)
      : value_(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())),
        binary_(true) {}
  template <class T>
  Parameter(const std::optional<T>& value) {
    if (value) *this = Parameter(*value);
  }
  /// An array, `{1,2,3}`.
  Parameter(std::span<const int64_t> values);
  /// An array of text, quoted as PostgreSQL reads it.
  Parameter(std::span<const std::string> values);
  // NOLINTEND(google-explicit-constructor)

  /// The same value as one of this type (an OID of pg_type), which a null needs in some places.
  Parameter As(unsigned type) && {
    type_ = type;
    return std::move(*this);
  }

  unsigned type() const { return type_; }
  const char* data() const { return value_ ? value_->c_str() : nullptr; }
  int size() const { return value_ ? static_cast<int>(value_->size()) : 0; }
  bool binary() const { return binary_; }
  /// libpq cuts text at a NUL, and PostgreSQL does not take one.
  bool HasNul() const { return value_ && !binary_ && value_->find('\0') != std::string::npos; }

 private:
  std::optional<std::string> value_;
  bool binary_ = false;
  unsigned type_ = 0;
};

}  // namespace spillway::postgres
