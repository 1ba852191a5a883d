#include <string>

#include <gtest/gtest.h>

#include "envelope/sample_bytes.h"
#include "envelope/zip/zip.h"
#include "envelope/zip/zip_archive_fixture.h"

namespace spillway::envelope {
namespace {

TEST_F(ZipArchive, MemberPast4GiBHasAWideDescriptor) {
  const std::string zeros(64 << 20, '\0');
  auto member = *NewZipMember("zeros", kModified, 1);
  std::string bytes;
  for (int i = 0; i < 65; ++i) {
    ASSERT_TRUE(member->Append(AsBytes(zeros)).has_value());
    bytes += member->pending().view();
    member->Drain();
  }
  const ZipEntry entry = *member->Finish();
  bytes += member->pending().view();
  EXPECT_EQ(entry.member_bytes, uint64_t{65} << 26);
  Write(Join({Built{bytes, entry}}));
  EXPECT_EQ(Unzip(), "");
}

}  // namespace
}  // namespace spillway::envelope
