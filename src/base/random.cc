#include "base/random.h"

namespace spillway {

Random Random::FromEntropy() {
  std::random_device device;
  return Random((static_cast<uint64_t>(device()) << 32) | device());
}

std::string Random::Hex(int digits) {
  std::string text;
  for (int i = 0; i < digits; ++i) text += "0123456789abcdef"[Below(16)];
  return text;
}

}  // namespace spillway
