#pragma once

#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "config/outline.h"

namespace spillway::config {

/// A number of bytes, written "512 MiB".
struct ByteSize {
  uint64_t bytes = 0;
  auto operator<=>(const ByteSize&) const = default;
};

/// "30s", "5m", "1h30m", "250ms", "7d"; each part a whole number and its unit.
std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text);
std::string FormatDuration(std::chrono::milliseconds duration);

/// "4096", "64 KiB", "1.5 GiB", "10 MB": a number and one of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB.
/// Bytes, with or without their unit, are whole.
std::optional<ByteSize> ParseByteSize(std::string_view text);
std::string FormatByteSize(ByteSize size);

/// How long something is kept: "30d", or "forever".
struct Lifetime {
  std::optional<std::chrono::milliseconds> limit;  ///< None: for ever.
  bool operator==(const Lifetime&) const = default;
  bool operator<(const Lifetime& other) const {
    return limit && (!other.limit || *limit < *other.limit);
  }
};

/// How the text of a scalar becomes a value and back, for the C++ types that a field may have.
template <class V>
struct Scalar;

template <>
struct Scalar<std::string> {
  static constexpr Outline::Kind kKind = Outline::Kind::kText;
  static constexpr std::string_view kExpectation = "a text";
  static std::optional<std::string> Parse(std::string_view text) { return std::string(text); }
  static std::string Format(const std::string& value) { return value; }
};

template <>
struct Scalar<std::filesystem::path> {
  static constexpr Outline::Kind kKind = Outline::Kind::kPath;
  static constexpr std::string_view kExpectation = "a path";
  static std::optional<std::filesystem::path> Parse(std::string_view text) {
    if (text.empty()) return std::nullopt;
    return std::filesystem::path(text);
  }
  static std::string Format(const std::filesystem::path& value) { return value.string(); }
};

template <>
struct Scalar<char> {
  static constexpr Outline::Kind kKind = Outline::Kind::kCharacter;
  static constexpr std::string_view kExpectation = "one ASCII character in quotes";
  static std::optional<char> Parse(std::string_view text) {
    if (text.size() != 1 || static_cast<unsigned char>(text[0]) >= 0x80) return std::nullopt;
    return text[0];
  }
  static std::string Format(char value) { return std::string(1, value); }
};

template <>
struct Scalar<bool> {
  static constexpr Outline::Kind kKind = Outline::Kind::kBoolean;
  static constexpr std::string_view kExpectation = "true or false";
  static std::optional<bool> Parse(std::string_view text) {
    if (text == "true") return true;
    if (text == "false") return false;
    return std::nullopt;
  }
  static std::string Format(bool value) { return value ? "true" : "false"; }
};

template <std::integral V>
  requires(sizeof(V) >= sizeof(int))
struct Scalar<V> {
  static constexpr Outline::Kind kKind = Outline::Kind::kInteger;
  static constexpr std::string_view kExpectation = "a whole number";
  static std::optional<V> Parse(std::string_view text) {
    V value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
  }
  static std::string Format(V value) { return std::to_string(value); }
};

template <>
struct Scalar<std::chrono::milliseconds> {
  static constexpr Outline::Kind kKind = Outline::Kind::kDuration;
  static constexpr std::string_view kExpectation = "a duration";
  static constexpr std::string_view kExamples = "250ms, 30s, 5m or 1h30m";
  static std::optional<std::chrono::milliseconds> Parse(std::string_view text) {
    return ParseDuration(text);
  }
  static std::string Format(std::chrono::milliseconds value) { return FormatDuration(value); }
};

template <>
struct Scalar<Lifetime> {
  static constexpr Outline::Kind kKind = Outline::Kind::kText;
  static constexpr std::string_view kExpectation = "forever, or a duration of at least 1s";
  static constexpr std::string_view kExamples = "30d";
  static std::optional<Lifetime> Parse(std::string_view text) {
    if (text == "forever") return Lifetime{};
    const auto limit = ParseDuration(text);
    if (!limit || *limit < std::chrono::seconds(1)) return std::nullopt;
    return Lifetime{limit};
  }
  static std::string Format(Lifetime value) {
    return value.limit ? FormatDuration(*value.limit) : "forever";
  }
};

template <>
struct Scalar<ByteSize> {
  static constexpr Outline::Kind kKind = Outline::Kind::kSize;
  static constexpr std::string_view kExpectation = "a size";
  static constexpr std::string_view kExamples = "4096, 64 KiB or 1.5 GiB";
  static std::optional<ByteSize> Parse(std::string_view text) { return ParseByteSize(text); }
  static std::string Format(ByteSize value) { return FormatByteSize(value); }
};

/// Choices: their texts are declared with the field.
template <class V>
  requires std::is_enum_v<V>
struct Scalar<V> {
  static constexpr Outline::Kind kKind = Outline::Kind::kChoice;
  static constexpr std::string_view kExpectation = "a choice";
  static std::optional<V> Parse(std::string_view) { return std::nullopt; }
  static std::string Format(V) { return {}; }
};

template <class V>
concept ScalarValue = requires { Scalar<V>::kKind; };

}  // namespace spillway::config
