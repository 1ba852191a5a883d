#include <array>
#include <memory>
#include <string>

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>
#include <sqlite3.h>
#include <zstd.h>

namespace spillway::batch {
namespace {

// The Arrow wheel carries its own OpenSSL and zstd. These libraries must not take each other's
// place when one program links them all (see setup/arrow.sh).

std::shared_ptr<arrow::Table> NumbersTable(int64_t rows) {
  arrow::Int64Builder builder;
  for (int64_t i = 0; i < rows; ++i) EXPECT_TRUE(builder.Append(i * i).ok());
  return arrow::Table::Make(arrow::schema({arrow::field("square", arrow::int64())}),
                            {builder.Finish().ValueOrDie()});
}

TEST(Linking, ZstdParquetComesBackEqual) {
  const auto table = NumbersTable(1000);
  const auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  const auto properties =
      parquet::WriterProperties::Builder().compression(parquet::Compression::ZSTD)->build();
  ASSERT_TRUE(
      parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink, 300, properties).ok());

  const auto source = std::make_shared<arrow::io::BufferReader>(sink->Finish().ValueOrDie());
  const auto reader = parquet::arrow::OpenFile(source, arrow::default_memory_pool()).ValueOrDie();
  EXPECT_EQ(reader->num_row_groups(), 4);
  const std::shared_ptr<arrow::Table> read = reader->ReadTable().ValueOrDie();
  EXPECT_TRUE(read->Equals(*table));
}

TEST(Linking, OpenSslIsDebiansOwn) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  ASSERT_EQ(EVP_Digest("abc", 3, digest.data(), &size, EVP_sha256(), nullptr), 1);
  EXPECT_EQ(size, 32U);
  EXPECT_EQ(digest[0], 0xBA);
  EXPECT_EQ(OPENSSL_VERSION_NUMBER >> 12U, OpenSSL_version_num() >> 12U);
  EXPECT_STREQ(OpenSSL_version(OPENSSL_VERSION_STRING), OPENSSL_VERSION_STR);
}

TEST(Linking, ZstdIsDebiansOwn) {
  EXPECT_EQ(ZSTD_versionNumber(), static_cast<unsigned>(ZSTD_VERSION_NUMBER));
  const std::string text(10'000, 'x');
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 1));
  std::string unpacked(text.size(), '\0');
  ASSERT_EQ(ZSTD_decompress(unpacked.data(), unpacked.size(), packed.data(), packed.size()),
            text.size());
  EXPECT_EQ(unpacked, text);
}

TEST(Linking, SqliteAnswers) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(":memory:", &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, "create table t (a) strict", nullptr, nullptr, nullptr),
            SQLITE_ERROR);
  EXPECT_EQ(sqlite3_exec(database, "create table t (a integer) strict", nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(database);
}

}  // namespace
}  // namespace spillway::batch
