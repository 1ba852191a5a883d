#include <immintrin.h>

#include "format/row/cell_writers.h"
#include "format/row/special_bytes.h"

#define SPILLWAY_SET avx2
#define SPILLWAY_TARGET [[gnu::target("avx2,bmi,bmi2,lzcnt")]]
#define SPILLWAY_WIDE

namespace spillway::format::avx2 {
namespace {

/// 32 bytes and what is special among them.
template <bool kControls>
class Wide {
 public:
  static constexpr size_t kBytes = 32;

  SPILLWAY_TARGET explicit Wide(const SpecialBytes& specials)
      : table_(_mm256_load_si256(reinterpret_cast<const __m256i*>(specials.by_low_bits))),
        found_(_mm256_setzero_si256()) {}

  SPILLWAY_TARGET void Copy(const char* in, char* out) {
    const __m256i text = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in));
    found_ = _mm256_or_si256(found_, _mm256_cmpeq_epi8(_mm256_shuffle_epi8(table_, text), text));
    if constexpr (kControls) {
      const __m256i last_control = _mm256_set1_epi8(0x1f);
      found_ = _mm256_or_si256(
          found_, _mm256_cmpeq_epi8(_mm256_max_epu8(text, last_control), last_control));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), text);
  }

  SPILLWAY_TARGET bool found() const { return _mm256_testz_si256(found_, found_) == 0; }

 private:
  __m256i table_, found_;
};

}  // namespace
}  // namespace spillway::format::avx2

#include "format/row/copy_overlapping.inc"
// Included here, since it uses the copying above.
#include "format/row/cell_writers.inc"
