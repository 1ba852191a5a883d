#include "source/lake/ndjson_input.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include "base/digest.h"
#include "source/lake/line_blocks.h"

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
