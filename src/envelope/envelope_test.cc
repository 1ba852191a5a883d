#include "envelope/envelope.h"

#include <zlib.h>
#include <zstd.h>

#include "envelope/conformance.h"

namespace spillway::envelope {
namespace {

std::string Gunzip(std::string_view wrapped) {
  std::string text;
  std::string room(1 << 16, '\0');
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string input(wrapped);
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  while (stream.avail_in != 0) {
    stream.next_out = reinterpret_cast<Bytef*>(room.data());
    stream.avail_out = static_cast<uInt>(room.size());
    const int status = inflate(&stream, Z_NO_FLUSH);
    text.append(room, 0, room.size() - stream.avail_out);
    if (status == Z_STREAM_END) {
      inflateReset(&stream);
    } else if (status != Z_OK) {
      ADD_FAILURE() << "inflate: " << status;
      break;
    }
  }
  inflateEnd(&stream);
  return text;
}

std::string Unzstd(std::string_view wrapped) {
  std::string text;
  std::string room(1 << 16, '\0');
  ZSTD_DCtx* context = ZSTD_createDCtx();
  ZSTD_inBuffer input{wrapped.data(), wrapped.size(), 0};
  size_t left = 0;
  while (input.pos < input.size) {
    ZSTD_outBuffer output{room.data(), room.size(), 0};
    left = ZSTD_decompressStream(context, &output, &input);
    if (ZSTD_isError(left)) {
      ADD_FAILURE() << ZSTD_getErrorName(left);
      break;
    }
    text.append(room, 0, output.pos);
    while (output.pos == output.size && left != 0) {
      output.pos = 0;
      left = ZSTD_decompressStream(context, &output, &input);
      text.append(room, 0, output.pos);
    }
  }
  EXPECT_EQ(left, 0u) << "the last frame is not whole";
  ZSTD_freeDCtx(context);
  return text;
}

INSTANTIATE_TEST_SUITE_P(
    Envelopes, EnvelopeConformance,
    ::testing::Values(
        EnvelopeCase{"plain", [] { return Result<std::unique_ptr<Envelope>>(NewPlainEnvelope()); },
                     [](std::string_view wrapped) { return std::string(wrapped); }},
        EnvelopeCase{"gzip1", [] { return NewGzipEnvelope(1); }, Gunzip},
        EnvelopeCase{"gzip2", [] { return NewGzipEnvelope(2); }, Gunzip},
        EnvelopeCase{"gzip3", [] { return NewGzipEnvelope(3); }, Gunzip},
        EnvelopeCase{"gzip4", [] { return NewGzipEnvelope(4); }, Gunzip},
        EnvelopeCase{"gzip9", [] { return NewGzipEnvelope(9); }, Gunzip},
        EnvelopeCase{"zstd1", [] { return NewZstdEnvelope(1); }, Unzstd},
        EnvelopeCase{"zstd12", [] { return NewZstdEnvelope(12); }, Unzstd}),
    [](const auto& info) { return info.param.name; });

TEST(Envelope, RefusesLevelsThatDoNotExist) {
  for (int level : {-1, 0, 10}) {
    const auto made = NewGzipEnvelope(level);
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().code, ErrorCode::kInvalidArgument);
  }
  for (int level : {-5, 0, 20}) {
    const auto made = NewZstdEnvelope(level);
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().message, "zstd level " + std::to_string(level) +
                                        " does not exist; use 1 (fast) to 19 (small)");
  }
}

TEST(Envelope, HigherLevelsAreSmaller) {
  const std::string text = SampleText(1'000'000, 7);
  size_t before = text.size();
  for (int level : {1, 4, 9}) {
    Buffer out;
    auto wrapper = *(*NewGzipEnvelope(level))->NewWrapper();
    ASSERT_TRUE(wrapper->Append(AsBytes(text), out).has_value());
    ASSERT_TRUE(wrapper->Finish(out).has_value());
    EXPECT_LT(out.size(), before) << level;
    before = out.size();
  }
}

TEST(Envelope, GzipHeaderHoldsNoTime) {
  for (int level : {1, 6}) {
    Buffer out;
    auto wrapper = *(*NewGzipEnvelope(level))->NewWrapper();
    ASSERT_TRUE(wrapper->Finish(out).has_value());
    ASSERT_GE(out.size(), 18u);
    EXPECT_EQ(out.view().substr(0, 8), std::string_view("\x1f\x8b\x08\0\0\0\0\0", 8)) << level;
  }
}

TEST(Envelope, ZstdFramesHaveAChecksum) {
  Buffer out;
  auto wrapper = *(*NewZstdEnvelope(3))->NewWrapper();
  ASSERT_TRUE(wrapper->Append(AsBytes("checked text"), out).has_value());
  ASSERT_TRUE(wrapper->Finish(out).has_value());
  EXPECT_EQ(Unzstd(out.view()), "checked text");
  out.data()[out.size() - 1] ^= 1;
  char room[64];
  const size_t status = ZSTD_decompress(room, sizeof(room), out.data(), out.size());
  ASSERT_TRUE(ZSTD_isError(status));
  EXPECT_STREQ(ZSTD_getErrorName(status), "Restored data doesn't match checksum");
}

}  // namespace
}  // namespace spillway::envelope
