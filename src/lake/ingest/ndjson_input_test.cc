#include "lake/ingest/ndjson_input.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include "base/digest.h"
#include "lake/ingest/line_blocks.h"

namespace spillway::lake {
namespace {

using testing::HasSubstr;

std::string Gzip(std::string_view text) {
  std::string packed(text.size() + 1000, '\0');
  isal_zstream stream;
  isal_deflate_stateless_init(&stream);
  stream.gzip_flag = IGZIP_GZIP;
  stream.next_in = const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
  stream.avail_in = static_cast<uint32_t>(text.size());
  stream.next_out = reinterpret_cast<uint8_t*>(packed.data());
  stream.avail_out = static_cast<uint32_t>(packed.size());
  stream.end_of_stream = 1;
  EXPECT_EQ(isal_deflate_stateless(&stream), COMP_OK);
  packed.resize(stream.total_out);
  return packed;
}

std::string Zstd(std::string_view text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  packed.resize(ZSTD_compress2(context, packed.data(), packed.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  return packed;
}

Result<std::string> Expand(std::string_view bytes, size_t piece = 1000) {
  const auto input = NdjsonFromMemory(bytes, "memory");
  const auto text = TRY(ReadNdjsonText(*input, true));
  std::string all;
  std::string buffer(piece, '\0');
  while (const size_t read = TRY(text->Read(std::as_writable_bytes(std::span(buffer))))) {
    all.append(buffer, 0, read);
  }
  EXPECT_EQ(text->input_bytes(), bytes.size());
  EXPECT_EQ(text->Digest(), ToHex(Sha256Of(bytes)));
  return all;
}

std::string Numbers(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += std::to_string(i * 7919) + '\n';
  return text;
}

TEST(NdjsonText, ComesOutOfEveryPacking) {
  for (const std::string& text : {std::string(), std::string("x"), Numbers(10), Numbers(200'000)}) {
    EXPECT_EQ(*Expand(text), text);
    EXPECT_EQ(*Expand(Gzip(text)), text);
    EXPECT_EQ(*Expand(Zstd(text)), text);
    EXPECT_EQ(*Expand(Gzip(text) + Gzip("") + Gzip("more")), text + "more");
    EXPECT_EQ(*Expand(Zstd(text) + Zstd("more") + Zstd("")), text + "more");
    EXPECT_EQ(*Expand(Gzip(text), 1), text.size() < 100 ? text : *Expand(text));
  }
}

TEST(NdjsonText, CutShortOrDamagedIsSaid) {
  const std::string text = Numbers(100'000);
  for (const std::string& packed : {Gzip(text), Zstd(text), Gzip("a") + Gzip(text)}) {
    for (size_t left : {packed.size() - 1, packed.size() - 9, packed.size() / 2, size_t{40}}) {
      const auto expanded = Expand(packed.substr(0, left));
      ASSERT_FALSE(expanded) << left;
      EXPECT_EQ(expanded.error().code, ErrorCode::kCorrupt);
      EXPECT_THAT(expanded.error().message, HasSubstr("memory: the "));
    }
    std::string damaged = packed;
    damaged[damaged.size() / 2] ^= 0x40;
    damaged[damaged.size() / 3] ^= 0x11;
    EXPECT_FALSE(Expand(damaged));
  }
  EXPECT_FALSE(Expand(Gzip(text) + "trailing garbage"));
}

std::string Skippable(std::string_view content) {
  std::string frame = {'\x5A', '\x2A', '\x4D', '\x18'};
  const auto bytes = static_cast<uint32_t>(content.size());
  frame.append(reinterpret_cast<const char*>(&bytes), sizeof(bytes));
  return frame.append(content);
}

std::string Case(const std::string& name) {
  std::ifstream file(CASES + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Hands out a byte a read.
class Trickle final : public NdjsonInput {
 public:
  explicit Trickle(std::string_view bytes) : bytes_(bytes) {}
  Result<size_t> Read(std::span<std::byte> into) override {
    if (bytes_.empty()) return 0;
    into[0] = static_cast<std::byte>(bytes_[0]);
    bytes_.remove_prefix(1);
    return 1;
  }
  const std::string& name() const override { return name_; }
  std::optional<uint64_t> bytes() const override { return std::nullopt; }
  Result<std::unique_ptr<NdjsonInput>> Reopen() const override { return nullptr; }

 private:
  std::string_view bytes_;
  const std::string name_ = "trickle";
};

std::string ExpandByteByByte(std::string_view bytes) {
  Trickle input(bytes);
  const auto text = ReadNdjsonText(input, false);
  EXPECT_TRUE(text) << text.error().message;
  std::string all;
  std::array<char, 100> buffer;
  while (const size_t read = *(*text)->Read(std::as_writable_bytes(std::span(buffer)))) {
    all.append(buffer.data(), read);
  }
  return all;
}

TEST(NdjsonText, CasesAreReadWhole) {
  for (const char* name :
       {"a01-pzstd.ndjson.zst", "a02-long28.ndjson.zst", "a04-zeropad1.ndjson.gz"}) {
    const auto text = Expand(Case(name));
    ASSERT_TRUE(text) << text.error().message;
    EXPECT_EQ(std::ranges::count(*text, '\n'), 50) << name;
  }
}

TEST(NdjsonText, A01SkippableFramesAreSkipped) {
  const std::string text = Numbers(1000);
  for (const std::string& inner : {std::string(), std::string(4, 'x'), std::string(400'000, 'y')}) {
    const std::string frame = Skippable(inner);
    EXPECT_EQ(*Expand(frame + Zstd(text)), text);
    EXPECT_EQ(*Expand(Zstd(text) + frame + Zstd("more") + frame), text + "more");
    EXPECT_EQ(*Expand(frame + frame), "");
    EXPECT_EQ(ExpandByteByByte(frame + Zstd("a") + frame), "a");
    if (inner.empty()) continue;
    const auto cut = Expand(Zstd("a") + frame.substr(0, frame.size() - 1));
    ASSERT_FALSE(cut);
    EXPECT_THAT(cut.error().message, HasSubstr("is cut short"));
  }
}

TEST(NdjsonText, A01TheFirstBytesCountAndNotTheName) {
  const auto read = [](std::string_view bytes, std::string name) -> Result<std::string> {
    const auto input = NdjsonFromMemory(bytes, std::move(name));
    const auto text = TRY(ReadNdjsonText(*input, false));
    std::string all(1000, '\0');
    all.resize(TRY(text->Read(std::as_writable_bytes(std::span(all)))));
    return all;
  };
  EXPECT_EQ(*read("text", "x.zst"), "text");
  EXPECT_EQ(*read(Zstd("text"), "x.gz"), "text");
  EXPECT_EQ(*read(Gzip("text"), "x.ndjson"), "text");
  EXPECT_EQ(*read("", "x.ndjson"), "");
  EXPECT_THAT(read("", "x.ndjson.gz").error().message, HasSubstr("x.ndjson.gz is empty"));
  for (const auto& [bytes, what] :
       std::vector<std::pair<std::string, std::string>>{{"PAR1....PAR1", "is a Parquet file"},
                                                        {"BZh91AY&SY", "by bzip2"},
                                                        {"PK\x03\x04....", "is a zip archive"},
                                                        {"\xFD"
                                                         "7zXZ" +
                                                             std::string(2, '\0'),
                                                         "by xz"},
                                                        {"\xFF\xFE{", "in UTF-16"}}) {
    const auto refused = read(bytes, "x");
    ASSERT_FALSE(refused) << what;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(refused.error().message, HasSubstr(what));
  }
}

TEST(NdjsonText, A02WhatAFrameNeedsIsNamed) {
  // A window of 2^31 + 2^28 bytes; a dictionary 7.
  const std::string magic = "\x28\xB5\x2F\xFD";
  const auto large = Expand(magic + std::string(1, '\0') + std::string(1, '\xA9') + "xxxxxxx");
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().message,
            "memory: the Zstandard data needs a window of 2304 MiB, and up to 2048 MiB are given: "
            "compress it with a window of 2048 MiB or less");
  const auto dictionary = Expand(magic + "\x21\x07" + std::string(3, '\0') + "xxxxxxx");
  ASSERT_FALSE(dictionary);
  EXPECT_THAT(dictionary.error().message, HasSubstr("needs the dictionary 7"));
}

TEST(NdjsonText, A04ZeroBytesAreOnlyPadding) {
  const std::string text = Numbers(1000);
  for (const size_t zeros : {1, 3, 17, 18, 511, 300'000}) {
    const std::string padding(zeros, '\0');
    for (const auto& pack : {Gzip, Zstd}) {
      EXPECT_EQ(*Expand(pack(text) + padding), text);
      EXPECT_EQ(*Expand(pack(text) + padding + pack("more") + padding), text + "more");
      EXPECT_EQ(ExpandByteByByte(pack("a") + padding + pack("b")), "ab");
      const auto garbage = Expand(pack("a") + padding + "{}\n");
      ASSERT_FALSE(garbage);
      EXPECT_THAT(garbage.error().message,
                  HasSubstr(fmt::format("at byte {}, after the", pack("a").size() + zeros)));
    }
  }
  EXPECT_THAT(Expand(Gzip(text) + "\x1F").error().message, HasSubstr("is cut short"));
  EXPECT_THAT(Expand(Gzip(text) + std::string(9, '\0') + "\x1F\x8B").error().message,
              HasSubstr("is cut short"));
  EXPECT_THAT(Expand(Zstd(text) + "\x28\xB5").error().message, HasSubstr("is cut short"));
  EXPECT_THAT(Expand("\x1F").error().message, HasSubstr("is cut short"));
  EXPECT_THAT(Expand("\x28\xB5\x2F").error().message, HasSubstr("is cut short"));
  EXPECT_THAT(Expand(Gzip("a") + Zstd("b")).error().message, HasSubstr("that are no gzip data"));
}

TEST(NdjsonText, EveryFieldOfAGzipHeaderIsPassedOver) {
  std::string packed = Gzip("text");
  packed[3] = 0x04 | 0x08 | 0x10;  // FEXTRA, FNAME, FCOMMENT.
  packed.insert(
      10, std::string("\x05\0extra", 7) + std::string("name\0", 5) + std::string("comment\0", 8));
  EXPECT_EQ(*Expand(packed), "text");
  EXPECT_EQ(ExpandByteByByte(packed + packed), "texttext");
}

TEST(NdjsonInputTest, APathThatCannotBeReadIsNamed) {
  EXPECT_EQ(OpenNdjsonFile("/nowhere/x").error().code, ErrorCode::kNotFound);
  EXPECT_THAT(OpenNdjsonFile("/nowhere/x").error().message, HasSubstr("/nowhere/x"));
  EXPECT_EQ(OpenNdjsonFile("/tmp").error().code, ErrorCode::kInvalidArgument);
}

TEST(NdjsonInputTest, AWaitForStandardInputEndsWithAStop) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const int saved = ::dup(STDIN_FILENO);
  ::dup2(ends[0], STDIN_FILENO);
  std::stop_source stop;
  stop.request_stop();
  const auto input = NdjsonFromStandardInput(stop.get_token());
  std::byte byte;
  EXPECT_EQ(input->Read({&byte, 1}).error().code, ErrorCode::kCancelled);
  ::dup2(saved, STDIN_FILENO);
  for (int end : {saved, ends[0], ends[1]}) ::close(end);
}

struct Cut {
  std::vector<std::string> lines;  ///< An overlong one as "<n".
  bool operator==(const Cut&) const = default;
};

/// Cuts the text and holds what the blocks say of themselves against it.
Cut CutText(std::string_view text, size_t block_bytes, size_t line_bytes_max) {
  const auto input = NdjsonFromMemory(text, "memory");
  const auto reader = *ReadNdjsonText(*input, false);
  LineBlocks blocks(*reader, block_bytes, line_bytes_max, 4);
  Cut cut;
  int64_t number = 0;
  while (const auto block = *blocks.Next()) {
    EXPECT_EQ(block->number, number++);
    EXPECT_EQ(block->first.line, static_cast<int64_t>(cut.lines.size()) + 1);
    EXPECT_EQ(text.substr(block->first.byte, block->size), block->text());
    if (block->overlong) {
      EXPECT_LE(block->size, 4);
      cut.lines.push_back("<" + std::string(block->text()));
      continue;
    }
    for (std::string_view rest = block->text(); !rest.empty();) {
      const size_t end = rest.find('\n');
      cut.lines.emplace_back(rest.substr(0, end));
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
  }
  EXPECT_EQ(blocks.lines(), static_cast<int64_t>(cut.lines.size()));
  EXPECT_EQ(blocks.bytes(), text.size());
  return cut;
}

TEST(LineBlocksTest, EveryLineComesOnceWhateverTheBlockSize) {
  const std::string text = "a\nbb\n\nccc\n\n\ndddd\neeeee";
  const Cut expected{{"a", "bb", "", "ccc", "", "", "dddd", "eeeee"}};
  for (size_t block = 1; block < 30; ++block) EXPECT_EQ(CutText(text, block, 5), expected) << block;
  EXPECT_EQ(CutText(text + "\n", 8, 5), expected);
  EXPECT_EQ(CutText("", 8, 5), Cut{});
  EXPECT_EQ(CutText("\n", 8, 5), Cut{{""}});
}

TEST(LineBlocksTest, AnOverlongLineIsNotHeld) {
  const std::string text = "a\n" + std::string(100'000, 'x') + "\nb\n" + std::string(9, 'y');
  for (size_t block = 1; block < 20; ++block) {
    EXPECT_EQ(CutText(text, block, 5), (Cut{{"a", "<xxxx", "b", "<yyyy"}})) << block;
  }
}

TEST(LineBlocksTest, AByteOrderMarkAtTheStartIsPassedOver) {
  EXPECT_EQ(CutText("\xEF\xBB\xBF"
                    "a\nb",
                    8, 5),
            (Cut{{"a", "b"}}));
  EXPECT_EQ(CutText("a\n\xEF\xBB\xBF"
                    "b",
                    8, 5),
            (Cut{{"a",
                  "\xEF\xBB\xBF"
                  "b"}}));
}

}  // namespace
}  // namespace spillway::lake
