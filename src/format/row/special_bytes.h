#pragma once

#include <cstdint>
#include <string_view>

namespace spillway::format {

/// A set of ASCII bytes that differ in their low four bits, laid out for one shuffle and one
/// comparison (pshufb): byte b is in the set when by_low_bits[b & 15] == b.
struct SpecialBytes {
  alignas(16) uint8_t by_low_bits[16];

  explicit constexpr SpecialBytes(std::string_view set) {
    // 0x80 is no answer: the shuffle takes bytes from 0x80 on to 0.
    for (uint8_t& entry : by_low_bits) entry = 0x80;
    for (char byte : set) by_low_bits[byte & 15] = static_cast<uint8_t>(byte);
  }

  /// Whether the bytes of `set` can be one.
  static constexpr bool CanHold(std::string_view set) {
    uint32_t seen = 0;
    for (char byte : set) {
      const uint32_t bit = 1u << (byte & 15);
      if (byte <= 0 || (seen & bit) != 0) return false;
      seen |= bit;
    }
    return true;
  }
};

}  // namespace spillway::format
