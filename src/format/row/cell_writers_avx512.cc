#include <immintrin.h>

#include "format/row/cell_writers.h"
#include "format/row/special_bytes.h"

#define SPILLWAY_SET avx512
#define SPILLWAY_TARGET [[gnu::target("avx512f,avx512bw,avx512vl,bmi,bmi2,lzcnt")]]

namespace spillway::format::avx512 {
namespace {

/// Copies `bytes` bytes and tells whether a special one is among them. Reads nothing beyond `in`;
/// writes up to 64 bytes after `out`.
template <bool kControls>
[[gnu::always_inline]] SPILLWAY_TARGET inline bool CopyFindingSpecial(const SpecialBytes& specials,
                                                                      const char* in, size_t bytes,
                                                                      char* out) {
  const __m512i table = _mm512_load_si512(specials.by_low_bits);
  const __m512i space = _mm512_set1_epi8(' ');
  __mmask64 found = 0;
  while (bytes > 64) {
    const __m512i text = _mm512_loadu_si512(in);
    found |= _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(table, text), text);
    if constexpr (kControls) found |= _mm512_cmplt_epu8_mask(text, space);
    _mm512_storeu_si512(out, text);
    in += 64;
    out += 64;
    bytes -= 64;
  }
  const __mmask64 lanes = _bzhi_u64(~uint64_t{0}, static_cast<uint32_t>(bytes));
  const __m512i text = _mm512_maskz_loadu_epi8(lanes, in);
  found |= _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(table, text), text);
  if constexpr (kControls) found |= _mm512_mask_cmplt_epu8_mask(lanes, text, space);
  _mm512_storeu_si512(out, text);
  return found != 0;
}

}  // namespace
}  // namespace spillway::format::avx512

#include "format/row/cell_writers.inc"
