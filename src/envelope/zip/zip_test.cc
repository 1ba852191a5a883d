#include "envelope/zip/zip.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "envelope/sample_bytes.h"
#include "envelope/zip/zip_archive_fixture.h"

namespace spillway::envelope {
namespace {

TEST_F(ZipArchive, IsReadByOthers) {
  const std::string text = SampleText(500'000, 1);
  std::vector<Built> members;
  members.push_back(Build("whole.csv", text, 1, text.size(), false));
  members.push_back(Build("drained.csv", text, 2, 10'000, true));
  members.push_back(Build("2025/01/31/größe 通知 🙂.csv", text, 6, 77'777, true));
  members.push_back(Build("empty.csv", "", 1, 1, false));
  members.push_back(Build("noise.bin", SampleNoise(100'000, 2), 3, 1'000, true));
  Write(Join(members));

  EXPECT_EQ(Unzip(), "");
  EXPECT_EQ(Python("print(z.testzip())\n"
                   "for i in z.infolist(): print(i.filename, i.file_size, i.date_time, "
                   "bool(i.flag_bits & 8), oct(i.external_attr >> 16))\n"),
            "None\n"
            "whole.csv 500000 (2025, 1, 31, 23, 59, 58) False 0o100644\n"
            "drained.csv 500000 (2025, 1, 31, 23, 59, 58) True 0o100644\n"
            "2025/01/31/größe 通知 🙂.csv 500000 (2025, 1, 31, 23, 59, 58) True 0o100644\n"
            "empty.csv 0 (2025, 1, 31, 23, 59, 58) False 0o100644\n"
            "noise.bin 100000 (2025, 1, 31, 23, 59, 58) True 0o100644\n");
  EXPECT_EQ(
      Python(
          "print(len({z.read(n) for n in z.namelist()[:3]}), zlib.crc32(z.read('whole.csv')))\n"),
      "1 " + std::to_string(members[0].entry.crc32) + "\n");
}

TEST_F(ZipArchive, WithoutMembersIsValid) {
  Write(Join({}));
  EXPECT_EQ(Python("print(z.namelist())\n"), "[]\n");
}

TEST_F(ZipArchive, SameInputSameBytes) {
  const std::string text = SampleText(200'000, 3);
  EXPECT_EQ(Join({Build("a", text, 1, 9'999, true), Build("b", text, 1, 50, false)}),
            Join({Build("a", text, 1, 9'999, true), Build("b", text, 1, 50, false)}));
}

TEST_F(ZipArchive, CountsPast65535) {
  const Built member = Build("x", "text", 1, 4, false);
  for (size_t count : {65'534, 65'535, 70'000}) {
    std::vector<Built> members(count, member);
    for (size_t i = 0; i < count; ++i) {
      const std::string name = std::to_string(100'000 + i);
      members[i] = member;
      members[i].bytes.replace(30, 1, name);
      members[i].bytes[26] = static_cast<char>(name.size());
      members[i].entry.stored_bytes += name.size() - 1;
      members[i].entry.name = name;
    }
    Write(Join(members));
    EXPECT_EQ(Python("print(len(z.namelist()), z.read('100000'), z.read(z.namelist()[-1]))\n"),
              std::to_string(count) + " b'text' b'text'\n");
  }
  EXPECT_EQ(Unzip(), "");
}

// Members of more than 4 GiB, made of holes: only their headers and the directory are real.
TEST_F(ZipArchive, SizesAndOffsetsPast4GiB) {
  constexpr uint64_t kHuge = 5'000'000'000;
  const Built first = Build("first", "text of the first", 1, 100, false);
  const Built last = Build("last", "text of the last", 1, 100, false);
  ZipEntry hole = last.entry;
  hole.name = "hole";
  hole.compressed_bytes = kHuge;
  hole.member_bytes = kHuge + 7;
  hole.stored_bytes = kHuge + 100;
  hole.descriptor = true;
  ZipEntry edge = hole;
  edge.name = "edge";
  edge.compressed_bytes = 0xffffffff;
  edge.member_bytes = 0xfffffffe;
  edge.stored_bytes = 0xffffffff + uint64_t{50};

  Buffer directory;
  const std::vector<ZipEntry> entries = {first.entry, hole, edge, last.entry};
  ASSERT_TRUE(AppendZipDirectory(entries, kModified, directory).has_value());
  Write(first.bytes);
  const uint64_t last_at = first.bytes.size() + hole.stored_bytes + edge.stored_bytes;
  std::filesystem::resize_file(path_, last_at);
  std::ofstream(path_, std::ios::binary | std::ios::app) << last.bytes << directory.view();

  EXPECT_EQ(Python("for i in z.infolist(): print(i.filename, i.compress_size, i.file_size, "
                   "i.header_offset)\n"
                   "print(z.read('first'), z.read('last'))\n"),
            "first " + std::to_string(first.entry.compressed_bytes) + " 17 0\n" +
                "hole 5000000000 5000000007 " + std::to_string(first.bytes.size()) + "\n" +
                "edge 4294967295 4294967294 " +
                std::to_string(first.bytes.size() + hole.stored_bytes) + "\n" + "last " +
                std::to_string(last.entry.compressed_bytes) + " 16 " + std::to_string(last_at) +
                "\n" + "b'text of the first' b'text of the last'\n");
}

TEST_F(ZipArchive, TimesOutsideZipsRangeAreTheNearest) {
  using std::chrono::sys_days, std::chrono::year;
  for (const auto& [time, expected] :
       {std::pair<Timestamp, const char*>{sys_days(year(1970) / 1 / 1), "(1980, 1, 1, 0, 0, 0)\n"},
        {sys_days(year(2200) / 1 / 1), "(2107, 12, 31, 23, 59, 58)\n"}}) {
    auto member = *NewZipMember("a", time, 1);
    const ZipEntry entry = *member->Finish();
    Buffer archive;
    archive.Append(member->pending().view());
    ASSERT_TRUE(AppendZipDirectory({&entry, 1}, time, archive).has_value());
    Write(archive.view());
    EXPECT_EQ(Python("print(z.infolist()[0].date_time)\n"), expected);
  }
}

TEST(ZipMember, RefusesNamesThatLeaveTheFolder) {
  for (const char* name : {"", "/etc/passwd", "../up", "a/../b", "a//b", "a/", ".", "a\\b"}) {
    const auto member = NewZipMember(name, kModified, 1);
    ASSERT_FALSE(member.has_value()) << name;
    EXPECT_EQ(member.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(NewZipMember(std::string("a\0b", 3), kModified, 1).has_value());
  EXPECT_FALSE(NewZipMember(std::string(4097, 'a'), kModified, 1).has_value());
  EXPECT_TRUE(NewZipMember("..a/b..c/...", kModified, 1).has_value());
}

TEST(ZipDirectory, RefusesTwoMembersOfOneName) {
  const ZipEntry entry{.name = "day.csv"};
  Buffer out;
  const auto appended = AppendZipDirectory(std::vector{entry, entry}, kModified, out);
  ASSERT_FALSE(appended.has_value());
  EXPECT_EQ(appended.error().message,
            "zip: two members are named \"day.csv\"; unpacking would lose one");
}

}  // namespace
}  // namespace spillway::envelope
