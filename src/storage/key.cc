#include "storage/key.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/digest.h"

namespace spillway::storage {
namespace {

constexpr std::string_view kEmptyName = "%5Fempty";
constexpr std::string_view kShortened = "%2Dsha256-";
constexpr size_t kDigestDigits = 64;
constexpr std::string_view kHexDigits = "0123456789ABCDEF";

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool IsPlain(char c, bool first) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || (c == '.' && !first);
}

std::string EscapeWhole(std::string_view name) {
  std::string segment;
  segment.reserve(name.size());
  for (size_t i = 0; i < name.size(); ++i) {
    const auto byte = static_cast<unsigned char>(name[i]);
    if (IsPlain(name[i], i == 0)) {
      segment += name[i];
    } else {
      segment += {'%', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
    }
  }
  return segment;
}

std::unexpected<Error> Refuse(std::string_view key, std::string_view why) {
  std::string shown(key.substr(0, 200));
  for (char& c : shown) {
    if (IsControl(c)) c = '?';
  }
  return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is no object key: it {}", shown, why));
}

}  // namespace

Result<> ValidateKey(std::string_view key) {
  if (key.empty()) return Refuse(key, "is empty");
  if (key.size() > kMaxKeyBytes)
    return Refuse(key, fmt::format("is longer than {} bytes", kMaxKeyBytes));
  if (std::ranges::any_of(key, IsControl)) return Refuse(key, "holds a control character");
  if (key == kPrivatePrefix.substr(0, kPrivatePrefix.size() - 1)) return Refuse(key, "is reserved");
  for (size_t begin = 0; begin <= key.size();) {
    const size_t end = std::min(key.find('/', begin), key.size());
    const std::string_view segment = key.substr(begin, end - begin);
    if (segment.empty()) return Refuse(key, "has nothing before, between or after slashes");
    if (segment == "." || segment == "..") return Refuse(key, "has a '.' or '..' between slashes");
    if (segment.size() > kMaxSegmentBytes) {
      return Refuse(key, fmt::format("has a part longer than {} bytes", kMaxSegmentBytes));
    }
    begin = end + 1;
  }
  return {};
}

bool IsKeySegment(std::string_view segment) {
  return !segment.empty() && segment != "." && segment != ".." &&
         segment.size() <= kMaxSegmentBytes &&
         std::ranges::none_of(segment, [](char c) { return c == '/' || IsControl(c); });
}

std::string EscapeKeySegment(std::string_view name) {
  if (name.empty()) return std::string(kEmptyName);
  std::string segment = EscapeWhole(name);
  if (segment.size() <= kMaxEscapedBytes) return segment;
  size_t kept = kMaxEscapedBytes - kShortened.size() - kDigestDigits;
  if (const size_t escape = segment.rfind('%', kept - 1);
      escape != std::string::npos && escape + 3 > kept) {
    kept = escape;
  }
  segment.resize(kept);
  return segment.append(kShortened).append(ToHex(Sha256Of(name)));
}

Result<std::string> UnescapeKeySegment(std::string_view segment) {
  if (segment == kEmptyName) return std::string();
  if (segment.size() > kShortened.size() + kDigestDigits &&
      segment.substr(segment.size() - kDigestDigits - kShortened.size()).starts_with(kShortened)) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("'{}' stands for a name too long for a path; its record holds it", segment));
  }
  std::string name;
  for (size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] != '%') {
      name += segment[i];
      continue;
    }
    const size_t high =
        i + 1 < segment.size() ? kHexDigits.find(segment[i + 1]) : std::string::npos;
    const size_t low = i + 2 < segment.size() ? kHexDigits.find(segment[i + 2]) : std::string::npos;
    if (high == std::string::npos || low == std::string::npos) break;
    name += static_cast<char>(high << 4 | low);
    i += 2;
  }
  if (segment.empty() || EscapeKeySegment(name) != segment) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is no escaped name", segment));
  }
  return name;
}

}  // namespace spillway::storage
