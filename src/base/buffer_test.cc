#include "base/buffer.h"

#include <string>

#include <gtest/gtest.h>

namespace spillway {
namespace {

TEST(Buffer, KeepsWhatWasAppendedWhileItGrows) {
  Buffer buffer;
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.view(), "");
  std::string expected;
  for (size_t i = 0; i < 2000; ++i) {
    const std::string piece(i % 97, static_cast<char>('a' + i % 26));
    buffer.Append(piece);
    expected += piece;
  }
  EXPECT_EQ(buffer.size(), expected.size());
  EXPECT_EQ(buffer.view(), expected);
  EXPECT_EQ(buffer.bytes().size(), expected.size());
}

TEST(Buffer, AppendsBytes) {
  Buffer buffer;
  buffer.Append(std::as_bytes(std::span("one", 3)));
  buffer.Append("two");
  EXPECT_EQ(buffer.view(), "onetwo");
}

TEST(Buffer, ReservedRoomAndSlackMayBeOverwritten) {
  Buffer buffer;
  buffer.Append("x");
  char* end = buffer.Reserve(100);
  std::memset(end, 'y', 100 + Buffer::kSlack);
  buffer.Advance(3);
  EXPECT_EQ(buffer.view(), "xyyy");
  buffer.Append("z");
  EXPECT_EQ(buffer.view(), "xyyyz");
}

TEST(Buffer, ClearKeepsTheMemory) {
  Buffer buffer;
  buffer.Append(std::string(10'000, 'a'));
  const char* memory = buffer.data();
  buffer.Clear();
  EXPECT_TRUE(buffer.empty());
  buffer.Append("b");
  EXPECT_EQ(buffer.data(), memory);
  EXPECT_EQ(buffer.view(), "b");
}

TEST(Buffer, MovesItsMemory) {
  Buffer buffer;
  buffer.Append("abc");
  const char* memory = buffer.data();
  const Buffer moved = std::move(buffer);
  EXPECT_EQ(moved.data(), memory);
  EXPECT_EQ(moved.view(), "abc");
}

}  // namespace
}  // namespace spillway
