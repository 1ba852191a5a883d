#pragma once

#include <cstdint>
#include <cstring>

#include "format/row/digits.h"
#include "format/row/zone.h"

namespace spillway::format {

/// Writes instants and dates as RFC 3339 says: "2025-01-31T23:59:59.000001+02:00"; years before
/// 0000 and after 9999, which it has not, in the expanded form of ISO 8601 (4.3.2 of part 1): with
/// a sign and at least four digits, "+10000-01-01", "-0043-03-15" (44 BC). It keeps the text of the
/// minute it wrote last, so that neighbouring instants cost a few instructions whatever their zone.
/// Writers may put 24 bytes after what they return. Not thread-safe.
class InstantText {
 public:
  static constexpr int kBytesMax = 48;

  /// `zone` outlives this; nullptr writes local times as they are stored, without an offset.
  InstantText(const Zone* zone, int64_t units_per_second, bool quoted);

  /// `kDigits` is 0, 3, 6 or 9, as units_per_second says. nullptr for an instant whose year has
  /// more than nine digits.
  template <int kDigits>
  char* Write(int64_t value, char* out) {
    uint64_t units = static_cast<uint64_t>(value) - minute_begin_;
    if (units >= minute_units_) [[unlikely]] {
      if (!MoveTo(value)) return nullptr;
      units = static_cast<uint64_t>(value) - minute_begin_;
    }
    // Everything is loaded before the first store: loads after stores to unknown places wait.
    const uint64_t first = LoadEight(prefix_), second = LoadEight(prefix_ + 8),
                   third = LoadEight(prefix_ + 16), suffix = LoadEight(suffix_);
    const size_t prefix_bytes = prefix_bytes_, suffix_bytes = suffix_bytes_;
    StoreEight(out, first);
    StoreEight(out + 8, second);
    StoreEight(out + 16, third);
    out = WriteSeconds<kDigits>(units, out + prefix_bytes);
    StoreEight(out, suffix);
    return out + suffix_bytes;
  }

  /// The date `days` after 1970-01-01; nullptr for a year of more than nine digits.
  char* WriteDate(int64_t days, char* out) {
    if (days != day_ && !MoveToDay(days)) [[unlikely]]
      return nullptr;
    std::memcpy(out, prefix_, 24);
    out += date_bytes_;
    *out = '"';
    return out + quoted_;
  }

  /// Seconds below 60 and their fraction: "59.000001".
  template <int kDigits>
  static char* WriteSeconds(uint64_t units, char* out) {
    if constexpr (kDigits == 0) {
      StoreEight(out, (EightDigitValues(static_cast<uint32_t>(units)) | kEightZeros) >> 48);
      return out + 2;
    } else {
      constexpr uint64_t kToEight = kDigits == 3 ? 1'000 : 1;
      const uint64_t head = kDigits == 9 ? units / 1'000 : units * kToEight;
      const uint64_t text = EightDigitValues(static_cast<uint32_t>(head)) | kEightZeros;
      StoreEight(out, (text & 0xffff) | uint64_t{'.'} << 16 | text >> 16 << 24);
      out[8] = static_cast<char>(text >> 56);
      if constexpr (kDigits == 9) {
        StoreEight(out + 9,
                   (EightDigitValues(static_cast<uint32_t>(units % 1'000)) | kEightZeros) >> 40);
      }
      return out + 3 + kDigits;
    }
  }

 private:
  bool MoveTo(int64_t value);
  bool MoveToDay(int64_t days);

  const Zone* zone_;
  int64_t units_per_second_;
  uint64_t minute_begin_ = 0;
  uint64_t minute_units_ = 0;  // 0: every instant is looked up
  int64_t day_;
  Zone::Span span_;  // empty at first
  bool quoted_;
  uint8_t date_bytes_ = 0;
  uint8_t prefix_bytes_ = 0;
  uint8_t suffix_bytes_ = 0;
  char prefix_[24] = {};  // "2025-01-31T23:59:", with a quote before it: 24 with nine digits
  char suffix_[8] = {};   // "+02:00", with a quote after it
};

}  // namespace spillway::format
