#pragma once

#include <compare>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "config/scalar.h"

namespace spillway {

/// Where jobs are remembered: a SQLite file, or a PostgreSQL database by its URL.
class StateAddress {
 public:
  StateAddress() = default;
  // NOLINTBEGIN(google-explicit-constructor): settings are given plain texts.
  StateAddress(std::string text) : text_(std::move(text)) {}
  StateAddress(const char* text) : text_(text) {}
  // NOLINTEND(google-explicit-constructor)

  bool is_postgres() const {
    return text_.starts_with("postgres://") || text_.starts_with("postgresql://");
  }
  /// As libpq takes it; perhaps with a password.
  const std::string& postgres() const { return text_; }
  std::filesystem::path file() const { return text_; }

  /// A relative file becomes one below `directory`.
  void Resolve(const std::filesystem::path& directory) {
    if (!is_postgres()) text_ = (directory / text_).lexically_normal().string();
  }

  /// For people: without a password.
  std::string Shown() const;

  auto operator<=>(const StateAddress&) const = default;

 private:
  std::string text_;
};

}  // namespace spillway

namespace spillway::config {

template <>
struct Scalar<StateAddress> {
  static constexpr Outline::Kind kKind = Outline::Kind::kText;
  static constexpr std::string_view kExpectation = "a file, or postgres://user@host/database";
  static std::optional<StateAddress> Parse(std::string_view text) {
    if (text.empty()) return std::nullopt;
    return StateAddress(std::string(text));
  }
  static std::string Format(const StateAddress& value) { return value.Shown(); }
};

}  // namespace spillway::config
