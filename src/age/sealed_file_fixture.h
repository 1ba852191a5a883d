#pragma once

#include <algorithm>
#include <cstring>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "age/open.h"
#include "age/seal.h"

/// Whole files sealed and opened in memory, for tests.
namespace spillway::age {

inline Bytes AsBytes(std::string_view text) { return std::as_bytes(std::span(text)); }

inline std::string Noise(size_t bytes, std::mt19937_64& random) {
  std::string noise(bytes, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  return noise;
}

/// Sealed in pieces of `piece` bytes; the output is drained after each of them.
inline std::string Seal(std::string_view plain, std::span<const Recipient> recipients,
                        size_t piece = SIZE_MAX) {
  Buffer out;
  std::string sealed;
  const auto drain = [&] {
    sealed += out.view();
    out.Clear();
  };
  auto sealer = *Sealer::Begin(recipients, out);
  for (; !plain.empty(); plain.remove_prefix(std::min(piece, plain.size()))) {
    EXPECT_TRUE(sealer.Append(AsBytes(plain.substr(0, piece)), out).has_value());
    drain();
  }
  EXPECT_TRUE(sealer.Finish(out).has_value());
  drain();
  return sealed;
}

struct Opened {
  std::string released;  ///< Also before an error.
  std::optional<Error> error;
};

/// Opened as a stream, in pieces of `piece` bytes.
inline Opened Open(std::string_view sealed, const std::vector<Identity>& identities,
                   size_t piece = SIZE_MAX) {
  Buffer out;
  Opener opener(identities);
  Result<> result;
  for (; result && !sealed.empty(); sealed.remove_prefix(std::min(piece, sealed.size())))
    result = opener.Append(AsBytes(sealed.substr(0, piece)), out);
  if (result) result = opener.Finish(out);
  Opened opened{.released = std::string(out.view())};
  if (!result) opened.error = result.error();
  return opened;
}

/// A file that can be read anywhere, and what was read of it.
class FileInMemory {
 public:
  explicit FileInMemory(std::string_view bytes) : bytes_(bytes) {}

  RangeOpener::ReadAt reader() {
    return [this](uint64_t offset, std::span<std::byte> into) -> Result<size_t> {
      ++calls;
      if (offset >= bytes_.size()) return size_t{0};
      const size_t count = std::min<size_t>(into.size(), bytes_.size() - offset);
      std::memcpy(into.data(), bytes_.data() + offset, count);
      read += count;
      return count;
    };
  }

  uint64_t calls = 0;
  uint64_t read = 0;

 private:
  std::string_view bytes_;
};

/// The whole file by RangeOpener, in one range.
inline Opened OpenByRange(std::string_view sealed, const std::vector<Identity>& identities) {
  FileInMemory file(sealed);
  auto opener = RangeOpener::Open(file.reader(), sealed.size(), identities);
  if (!opener) return {.released = {}, .error = opener.error()};
  Buffer out;
  const auto result = opener->Read(0, opener->size(), out);
  Opened opened{.released = std::string(out.view())};
  if (!result) opened.error = result.error();
  return opened;
}

}  // namespace spillway::age
