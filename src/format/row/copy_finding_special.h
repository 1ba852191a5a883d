#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "format/row/special_bytes.h"

namespace spillway::format {

/// 16 bytes and what is special among them.
template <bool kControls>
class SixteenBytes {
 public:
  explicit SixteenBytes(const SpecialBytes& specials)
      : table_(_mm_load_si128(reinterpret_cast<const __m128i*>(specials.by_low_bits))),
        found_(_mm_setzero_si128()) {}

  void Copy(const char* in, char* out) {
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in));
    Look(text);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), text);
  }

  void Look(__m128i text) {
    found_ = _mm_or_si128(found_, _mm_cmpeq_epi8(_mm_shuffle_epi8(table_, text), text));
    if constexpr (kControls) {
      const __m128i last_control = _mm_set1_epi8(0x1f);
      found_ = _mm_or_si128(found_, _mm_cmpeq_epi8(_mm_max_epu8(text, last_control), last_control));
    }
  }

  bool found() const { return _mm_testz_si128(found_, found_) == 0; }

 private:
  __m128i table_, found_;
};

/// 16 bytes or more. The last ones are taken together with some of those before.
template <bool kControls>
inline bool CopyLong(const SpecialBytes& specials, const char* in, size_t bytes, char* out) {
  SixteenBytes<kControls> text(specials);
  const char* last = in + bytes - 16;
  char* last_out = out + bytes - 16;
  for (; in < last; in += 16, out += 16) text.Copy(in, out);
  text.Copy(last, last_out);
  return text.found();
}

/// 1 to 15 bytes.
template <bool kControls>
inline bool CopyShort(const SpecialBytes& specials, const char* in, size_t bytes, char* out) {
  uint64_t first = 0, last = 0;
  if (bytes >= 8) {
    std::memcpy(&first, in, 8);
    std::memcpy(&last, in + bytes - 8, 8);
    std::memcpy(out, &first, 8);
    std::memcpy(out + bytes - 8, &last, 8);
  } else if (bytes >= 4) {
    uint32_t head, tail;
    std::memcpy(&head, in, 4);
    std::memcpy(&tail, in + bytes - 4, 4);
    std::memcpy(out, &head, 4);
    std::memcpy(out + bytes - 4, &tail, 4);
    first = last = head | uint64_t{tail} << 32;
  } else {
    const char three[] = {in[0], in[bytes / 2], in[bytes - 1]};
    out[0] = three[0];
    out[bytes / 2] = three[1];
    out[bytes - 1] = three[2];
    // Lanes that are not used repeat the first byte.
    first = last = static_cast<uint8_t>(three[0]) * uint64_t{0x0101010101010101};
    std::memcpy(&first, three, 3);
  }
  SixteenBytes<kControls> text(specials);
  text.Look(_mm_set_epi64x(static_cast<int64_t>(last), static_cast<int64_t>(first)));
  return text.found();
}

/// Copies `bytes` bytes and tells whether a special one is among them. Touches nothing beyond `in`
/// and `out`.
template <bool kControls>
inline bool CopyFindingSpecial(const SpecialBytes& specials, const char* in, size_t bytes,
                               char* out) {
  if (bytes >= 16) return CopyLong<kControls>(specials, in, bytes, out);
  return bytes != 0 && CopyShort<kControls>(specials, in, bytes, out);
}

}  // namespace spillway::format
