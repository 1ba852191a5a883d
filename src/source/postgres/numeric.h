#pragma once

#include <cstdint>
#include <string_view>

namespace spillway::postgres_source {

/// Why a value cannot be decoded.
enum class Problem : uint8_t {
  kNone,
  kLength,     ///< The wrong number of bytes for its type.
  kMalformed,  ///< The right number of bytes, but no value.
  kNan,
  kInfinity,
  kRange,  ///< A value that the Arrow type cannot hold.
};

/// Decodes numeric's binary form (numeric_send in PostgreSQL's numeric.c: base-10000 digits) into
/// the unscaled integer of a decimal with that precision and scale, two's complement, little
/// endian: 16 bytes for a precision up to 38, 32 above. Exact or refused.
Problem DecodeSmallDecimal(std::string_view bytes, int32_t precision, int32_t scale,
                           uint8_t* decimal128);  ///< For a precision of at most 18.
Problem DecodeDecimal(std::string_view bytes, int32_t precision, int32_t scale,
                      uint8_t* decimal128);
Problem DecodeLargeDecimal(std::string_view bytes, int32_t precision, int32_t scale,
                           uint8_t* decimal256);

}  // namespace spillway::postgres_source
