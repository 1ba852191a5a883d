#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>

/// Bytes for tests of envelopes.
namespace spillway::envelope {

inline std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// `bytes` bytes that compress somewhat; the same for the same seed.
inline std::string SampleText(size_t bytes, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string text;
  while (text.size() < bytes)
    text += std::to_string(random() % 100'000) + (random() % 8 == 0 ? "\n" : ", field ");
  text.resize(bytes);
  return text;
}

inline std::string SampleNoise(size_t bytes, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string noise(bytes, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  return noise;
}

}  // namespace spillway::envelope
