#pragma once

#include <bit>
#include <concepts>
#include <cstring>

namespace spillway::postgres_source {

/// An integer in network byte order, from bytes of any alignment.
template <std::integral T>
T LoadBigEndian(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return std::byteswap(value);
}

}  // namespace spillway::postgres_source
