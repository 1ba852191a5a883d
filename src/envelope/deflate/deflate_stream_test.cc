#include "envelope/deflate/deflate_stream.h"

#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <zlib.h>

#include "envelope/sample_bytes.h"

namespace spillway::envelope {
namespace {

std::string Deflated(DeflateStream& stream, std::string_view text) {
  Buffer out;
  EXPECT_TRUE(stream.Append(AsBytes(text), out).has_value());
  EXPECT_TRUE(stream.Finish(out).has_value());
  return std::string(out.view());
}

std::string Deflated(int level, std::string_view text) {
  return Deflated(**NewDeflateStream(level, Framing::kRaw), text);
}

/// What zlib makes of it; what zlib refuses is empty.
std::string Inflated(std::string_view deflated, size_t bytes) {
  std::string text(bytes + 1, '\0');
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, -15), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(deflated.data()));
  stream.avail_in = static_cast<uInt>(deflated.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  const int status = inflate(&stream, Z_FINISH);
  text.resize(status == Z_STREAM_END ? stream.total_out : 0);
  inflateEnd(&stream);
  return text;
}

TEST(DeflateStream, R1WhatIsWrittenDoesNotDependOnWhereTheStreamStandsInMemory) {
  const std::string text =
      "location_id,sensors_id,location,datetime,lat,lon,parameter,units,value\n";
  for (const int level : {1, 2, 3, 4}) {
    std::vector<std::unique_ptr<DeflateStream>> streams;
    for (int i = 0; i < 1'000; ++i) streams.push_back(*NewDeflateStream(level, Framing::kRaw));
    std::set<std::string> written;
    for (const auto& stream : streams) written.insert(Deflated(*stream, text));
    EXPECT_EQ(written.size(), 1U) << "at level " << level;
  }
}

/// Few kinds of bytes, so that every short sequence of them comes often.
TEST(DeflateStream, RandomBytesOfFewKindsComeBack) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 3'000; ++i) {
    const std::string kinds = SampleNoise(1 + random() % 4, random()) + '\xff';
    std::string bytes(random() % (i % 100 == 0 ? 600'000 : 2'000), '\0');
    for (char& byte : bytes) byte = kinds[random() % kinds.size()];
    for (const int level : {1, 2, 3})
      ASSERT_EQ(Inflated(Deflated(level, bytes), bytes.size()), bytes) << i << ", level " << level;
  }
}

/// Every byte stands before the first two of the text, so none is left that a match cannot begin
/// with.
TEST(DeflateStream, BytesThatHoldEverySequenceComeBack) {
  std::string bytes = "abab";
  for (int byte = 255; byte >= 0; --byte) bytes += std::string(1, static_cast<char>(byte)) + "abab";
  for (const int level : {1, 2, 3})
    EXPECT_EQ(Inflated(Deflated(level, bytes), bytes.size()), bytes) << "at level " << level;
}

/// Isal counts its input in 32 bits.
TEST(DeflateStream, AStreamMayBeLongerThan4GiB) {
  const std::string zeros(64 << 20, '\0');
  const std::unique_ptr<DeflateStream> stream = *NewDeflateStream(1, Framing::kRaw);
  Buffer out;
  for (int i = 0; i < 66; ++i) {
    ASSERT_TRUE(stream->Append(AsBytes(zeros), out).has_value()) << i;
    out.Clear();
  }
  EXPECT_TRUE(stream->Finish(out).has_value());
}

}  // namespace
}  // namespace spillway::envelope
