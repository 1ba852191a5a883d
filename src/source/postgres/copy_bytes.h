#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace spillway::postgres_source {

/// Writes COPY's binary format, as tests need it.
class CopyBytes {
 public:
  CopyBytes() : bytes_("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19) {}

  CopyBytes& Row(int16_t fields) { return Number(fields); }
  CopyBytes& Null() { return Number(int32_t{-1}); }
  CopyBytes& Field(std::string_view value) {
    Number(static_cast<int32_t>(value.size()));
    bytes_ += value;
    return *this;
  }
  template <std::integral T>
  CopyBytes& Field(T value) {
    return Number(static_cast<int32_t>(sizeof(T))).Number(value);
  }
  CopyBytes& Trailer() { return Number(int16_t{-1}); }

  template <std::integral T>
  CopyBytes& Number(T value) {
    const T swapped = std::byteswap(value);
    std::string text(sizeof(T), '\0');
    std::memcpy(text.data(), &swapped, sizeof(T));
    bytes_ += text;
    return *this;
  }

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace spillway::postgres_source
