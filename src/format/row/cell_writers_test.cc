#include <sys/mman.h>

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "format/row/row_loop.h"

namespace spillway::format {
namespace {

constexpr size_t kLongest = 200;

/// Strings that end where the process may read no further.
class AtTheEdge {
 public:
  AtTheEdge()
      : page_(static_cast<char*>(
            mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    mprotect(page_ + kPage, kPage, PROT_NONE);
  }
  ~AtTheEdge() { munmap(page_, 2 * kPage); }

  /// The text, `before` bytes before the edge.
  const char* Put(const std::string& text, size_t before) {
    char* begin = page_ + kPage - before - text.size();
    std::memcpy(begin, text.data(), text.size());
    return begin;
  }

 private:
  static constexpr size_t kPage = 4096;
  char* page_;
};

std::string PlainCsv(const std::string& text) {
  if (!text.empty() && text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string PlainJson(const std::string& text) {
  std::string quoted = "\"";
  for (char c : text) {
    char code[8];
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\r') {
      quoted += "\\r";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      snprintf(code, sizeof(code), "\\u%04x", c);
      quoted += code;
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

class CellWriters : public ::testing::Test {
 protected:
  template <class Dialect>
  std::string Write(const Dialect& dialect, const char* text, size_t bytes) {
    const int32_t offsets[] = {0, static_cast<int32_t>(bytes)};
    Column column;
    column.kind = Kind::kString;
    column.values = offsets;
    column.bytes = text;
    const auto write = CellWriterFor<Dialect>(Kind::kString, false);
    std::vector<char> out(Dialect::kGrowth * bytes + Dialect::kAround + Buffer::kSlack + 1, '#');
    char* end = write(dialect, column, 0, out.data() + 1);
    EXPECT_EQ(out[0], '#');
    return {out.data() + 1, end};
  }

  AtTheEdge edge_;
};

TEST_F(CellWriters, CopyStringsOfEveryLengthWithASpecialByteAnywhere) {
  for (size_t bytes = 0; bytes <= kLongest; ++bytes) {
    std::string text;
    for (size_t i = 0; i < bytes; ++i)
      text += static_cast<char>("abcdefghijklm \xc3\xbc\x7f"[i % 17]);
    for (size_t before : {0, 1, 31, 63}) {
      ASSERT_EQ(Write(CsvDialect{}, edge_.Put(text, before), bytes), PlainCsv(text)) << bytes;
      ASSERT_EQ(Write(JsonDialect{}, edge_.Put(text, before), bytes), PlainJson(text)) << bytes;
    }
    for (size_t at = 0; at < bytes; ++at) {
      for (char special : {',', '"', '\r', '\n', '\\', '\t', '\x1f', '\0'}) {
        std::string changed = text;
        changed[at] = special;
        ASSERT_EQ(Write(CsvDialect{}, edge_.Put(changed, 0), bytes), PlainCsv(changed))
            << bytes << " at " << at;
        ASSERT_EQ(Write(JsonDialect{}, edge_.Put(changed, 0), bytes), PlainJson(changed))
            << bytes << " at " << at;
      }
    }
  }
}

TEST_F(CellWriters, QuoteNothingThatNeedsNone) {
  // Every byte but the special ones, at every place of a register.
  for (int byte = 1; byte < 256; ++byte) {
    const std::string text(70, static_cast<char>(byte));
    ASSERT_EQ(Write(CsvDialect{}, edge_.Put(text, 0), text.size()), PlainCsv(text)) << byte;
    if (byte == '\b' || byte == '\f') continue;  // have letters of their own
    ASSERT_EQ(Write(JsonDialect{}, edge_.Put(text, 0), text.size()), PlainJson(text)) << byte;
  }
  for (size_t bytes = 1; bytes <= kLongest; ++bytes) {
    for (char fine : {' ', '!', '#', '+', '-', ';', '[', '\x7f', '\x80', '\xff'}) {
      const std::string text(bytes, fine);
      ASSERT_EQ(Write(CsvDialect{}, edge_.Put(text, 0), bytes), text);
      ASSERT_EQ(Write(JsonDialect{}, edge_.Put(text, 0), bytes), "\"" + text + "\"");
    }
  }
}

TEST_F(CellWriters, DoubleEveryQuote) {
  for (size_t bytes = 1; bytes <= kLongest; ++bytes) {
    const std::string text(bytes, '"');
    ASSERT_EQ(Write(CsvDialect{}, edge_.Put(text, 0), bytes), PlainCsv(text));
    ASSERT_EQ(Write(JsonDialect{}, edge_.Put(text, 0), bytes), PlainJson(text));
  }
}

TEST(SpecialBytes, HoldsBytesThatDifferInTheirLowBits) {
  EXPECT_TRUE(SpecialBytes::CanHold(",\"\r\n"));
  EXPECT_TRUE(SpecialBytes::CanHold(";\"\r\n"));
  EXPECT_TRUE(SpecialBytes::CanHold("\t\"\r\n"));
  EXPECT_TRUE(SpecialBytes::CanHold("|\"\r\n"));
  EXPECT_FALSE(SpecialBytes::CanHold("*\"\r\n"));
  EXPECT_FALSE(SpecialBytes::CanHold("]\"\r\n"));
  EXPECT_FALSE(SpecialBytes::CanHold("\x80"));
}

}  // namespace
}  // namespace spillway::format
