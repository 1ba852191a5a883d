#include "source/postgres/query_reader.h"

#include <atomic>
#include <chrono>
#include <thread>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "batch/number_text.h"
#include "postgres/server_fixture.h"
#include "source/postgres/read_table.h"

namespace spillway::postgres_source {
namespace {

using postgres::Must;

class QueryReaderTest : public postgres::ServerTest {
 protected:
  ReadOptions Options() const { return {.address = Url()}; }
  std::unique_ptr<QueryReader> Reader() const { return Must(QueryReader::Open(Options())); }

  static std::shared_ptr<arrow::Table> Table(QueryReader& reader, const std::string& select) {
    const auto columns = Must(reader.Describe(select));
    return ReadTable(reader, select, columns);
  }
  void Run(const std::string& script) const { Must(Open()->ExecuteScript(script)); }
  std::shared_ptr<arrow::Table> Table(const std::string& select) const {
    return Table(*Reader(), select);
  }
  Error ErrorOf(const std::string& select, ReadOptions options) const {
    auto reader = QueryReader::Open(options);
    if (!reader.has_value()) return reader.error();
    const auto columns = (*reader)->Describe(select);
    if (!columns.has_value()) return columns.error();
    const auto read = (*reader)->Read(select, *columns, [](const auto&) -> Result<> { return {}; });
    return read.has_value() ? Error{} : read.error();
  }
};

TEST_F(QueryReaderTest, TypesBecomeArrows) {
  Run("CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE DOMAIN age AS int4");
  const auto table = Table(
      "SELECT true AS bool, 1::int2 AS int2, 2 AS int4, 3::int8 AS int8, 4::oid AS oid, "
      "1.5::float4 AS float4, 2.5::float8 AS float8, 1.10::numeric(10,2) AS price, "
      "(-1.5)::numeric(38,10) AS wide, 1e60::numeric(70,5) AS huge, 1.25::numeric AS free, "
      "'a'::text AS text, 'b'::varchar(5) AS varchar, 'c'::char(3) AS char, 'n'::name AS name, "
      "'x'::\"char\" AS c, '\\x414243'::bytea AS bytea, '2024-02-29'::date AS date, "
      "'12:34:56.789'::time AS time, '2024-02-29 12:00'::timestamp AS ts, "
      "'2024-02-29 12:00+02'::timestamptz AS tstz, 'P1Y2M3DT4H5M6S'::interval AS interval, "
      "'00112233-4455-6677-8899-aabbccddeeff'::uuid AS uuid, '{\"a\": 1}'::json AS json, "
      "'{\"a\":1}'::jsonb AS jsonb, 'sad'::mood AS mood, 7::age AS age, "
      "ARRAY['a b','c'] AS texts, '10.0.0.1'::inet AS inet, '10.0.0.0/8'::cidr AS cidr, "
      "'08:00:2b:01:02:03'::macaddr AS macaddr, '[1,5)'::int4range AS range, "
      "(1, 'a') AS record, '12:00+02'::timetz AS timetz, NULL AS nothing");
  EXPECT_EQ(table->schema()->ToString(),
            "bool: bool\nint2: int16\nint4: int32\nint8: int64\noid: uint32\nfloat4: float\n"
            "float8: double\nprice: decimal128(10, 2)\nwide: decimal128(38, 10)\n"
            "huge: decimal256(70, 5)\nfree: string\ntext: string\nvarchar: string\nchar: string\n"
            "name: string\nc: string\nbytea: binary\ndate: date32[day]\ntime: time64[us]\n"
            "ts: timestamp[us]\ntstz: timestamp[us, tz=UTC]\ninterval: string\nuuid: string\n"
            "json: string\njsonb: string\nmood: string\nage: int32\ntexts: string\ninet: string\n"
            "cidr: string\nmacaddr: string\nrange: string\nrecord: string\ntimetz: string\n"
            "nothing: string");
  EXPECT_EQ(RowsAsText(*table),
            "true|1|2|3|4|1.5|2.5|1.10|-1.5000000000|1000000000000000000000000000000000000000000000"
            "000000000000000.00000|1.25|a|b|c  |n|x|ABC|2024-02-29|12:34:56.789000|"
            "2024-02-29 12:00:00.000000|2024-02-29 10:00:00.000000Z|P1Y2M3DT4H5M6S|"
            "00112233-4455-6677-8899-aabbccddeeff|{\"a\": 1}|{\"a\": 1}|sad|7|{\"a b\",c}|10.0.0.1|"
            "10.0.0.0/8|08:00:2b:01:02:03|[1,5)|(1,a)|12:00:00+02|null\n");
}

TEST_F(QueryReaderTest, F05XmlIsWhatPostgresqlWrites) {
  Run("CREATE DOMAIN note AS xml");
  EXPECT_EQ(RowsAsText(*Table(
                "SELECT '<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>é</a>'::xml AS x, "
                "'<?xml version=\"1.0\" encoding=\"UTF-16\" standalone=\"yes\"?><a>é</a>'::note, "
                "'é <b/>'::xml, NULL::xml")),
            "<a>é</a>|<?xml version=\"1.0\" standalone=\"yes\"?><a>é</a>|é <b/>|null\n");
}

TEST_F(QueryReaderTest, E05MoneyIsItsNumber) {
  Run("CREATE DOMAIN fee AS money; CREATE DOMAIN rate AS numeric");
  const auto table = Table(
      "SELECT (-1234.5)::money AS m, (-5.25)::money::fee AS f, "
      "(-0.125)::rate AS r, ARRAY[(-1)::money] AS a, NULL::money AS n");
  EXPECT_EQ(RowsAsText(*table), "-1234.50|-5.25|-0.125|{-$1.00}|null\n");
  for (const char* name : {"m", "f", "r", "n"}) {
    EXPECT_TRUE(batch::IsNumberText(*table->schema()->GetFieldByName(name))) << name;
  }
  EXPECT_FALSE(batch::IsNumberText(*table->schema()->GetFieldByName("a")));
}

TEST_F(QueryReaderTest, ReadersOfOneSnapshotSeeTheSame) {
  Run("CREATE TABLE t AS SELECT 1 AS a");
  const auto first = Reader();
  ReadOptions options = Options();
  options.snapshot = Must(first->ExportSnapshot());
  Run("INSERT INTO t VALUES (2)");
  const auto second = Must(QueryReader::Open(options));
  EXPECT_EQ(Table(*second, "SELECT * FROM t")->num_rows(), 1);
  EXPECT_EQ(Table("SELECT * FROM t")->num_rows(), 2);
}

TEST_F(QueryReaderTest, ReadersDoNotWaitBehindALockThatWaitsForTheirSnapshot) {
  Run("CREATE TABLE t AS SELECT 1 AS a");
  std::jthread altering;  // the last to go: it waits for the holder
  const auto holder = Reader();
  EXPECT_EQ(Table(*holder, "SELECT * FROM t")->num_rows(), 1);
  altering = std::jthread([this] { Run("ALTER TABLE t ADD b int"); });
  const auto watcher = Open();
  while (Must(watcher->Execute("SELECT 1 FROM pg_locks WHERE NOT granted")).empty())
    std::this_thread::yield();
  ReadOptions options = Options();
  options.snapshot = Must(holder->ExportSnapshot());
  const auto reader = Must(QueryReader::Open(options));
  const auto columns = Must(reader->Describe("SELECT 1 AS a"));
  const auto read =
      reader->Read("SELECT a FROM t", columns, [](const auto&) -> Result<> { return {}; });
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(read.error().retryable);
  EXPECT_NE(read.error().message.find("ALTER"), std::string::npos) << read.error().message;
}

TEST_F(QueryReaderTest, SaysThatASnapshotIsGone) {
  ReadOptions options = Options();
  options.snapshot = Must(Reader()->ExportSnapshot());
  const Error gone = ErrorOf("SELECT 1", options);
  EXPECT_EQ(gone.code, ErrorCode::kConflict);
  EXPECT_FALSE(gone.retryable);
  EXPECT_NE(gone.message.find("run the export again"), std::string::npos) << gone.message;
}

TEST_F(QueryReaderTest, F01ReadersHaveTheSettingsOfTheFirst) {
  const auto first = Reader();
  Run("CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 1 AS a; ALTER ROLE postgres SET search_path = "
      "s");
  ReadOptions options = Options();
  options.settings = Must(first->settings());
  EXPECT_EQ(options.settings.at("search_path"), "\"$user\", public");
  for (const char* select :
       {"SELECT current_setting('search_path')", "SELECT current_setting('synchronize_seqscans')"})
    EXPECT_EQ(RowsAsText(*Table(*Must(QueryReader::Open(options)), select)),
              RowsAsText(*Table(*first, select)));
  EXPECT_EQ(RowsAsText(*Table("SELECT current_setting('search_path')")), "s\n");
  EXPECT_EQ(RowsAsText(*Table("SELECT current_setting('synchronize_seqscans')")), "off\n");
  Run("ALTER ROLE postgres RESET search_path");
}

TEST_F(QueryReaderTest, OnlyReads) {
  Run("CREATE TABLE t (a int); CREATE SEQUENCE s");
  const Error within =
      ErrorOf("WITH w AS (INSERT INTO t VALUES (1) RETURNING a) SELECT * FROM w", Options());
  EXPECT_EQ(within.code, ErrorCode::kInvalidArgument);
  EXPECT_NE(within.message.find("the query writes"), std::string::npos) << within.message;
  // What a server knows and does not support is as wrong as what it does not know.
  EXPECT_EQ(ErrorOf("SELECT count(*) FILTER (WHERE true) OVER (ORDER BY a GROUPS 1 PRECEDING)"
                    ", t.* FROM t FOR UPDATE",
                    Options())
                .code,
            ErrorCode::kInvalidArgument);
  const Error error = ErrorOf("SELECT nextval('s')", Options());
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(error.retryable);
  EXPECT_NE(error.message.find("the query writes"), std::string::npos) << error.message;
  EXPECT_NE(ErrorOf("SELECT 1) TO STDOUT; DROP TABLE t; COPY (SELECT 1", Options()).message, "");
  EXPECT_EQ(Table("SELECT * FROM t")->num_rows(), 0);
}

TEST_F(QueryReaderTest, EndsStatementsThatTakeTooLong) {
  ReadOptions options = Options();
  options.statement_timeout = std::chrono::milliseconds(50);
  const Error error = ErrorOf("SELECT pg_sleep(100)::text", options);
  EXPECT_EQ(error.code, ErrorCode::kOutOfSpace);
  EXPECT_FALSE(error.retryable);
  EXPECT_NE(error.message.find("statement_timeout"), std::string::npos) << error.message;
}

TEST_F(QueryReaderTest, StopsWithinARead) {
  const auto reader = Reader();
  const std::string select = "SELECT generate_series(1, 100000000) AS i, repeat('x', 100) AS x";
  const auto columns = Must(reader->Describe(select));
  std::stop_source stop;
  int batches = 0;
  const auto read = reader->Read(
      select, columns,
      [&](const arrow::RecordBatch&) -> Result<> {
        if (++batches == 3) stop.request_stop();
        return {};
      },
      stop.get_token());
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kCancelled);
  EXPECT_LE(batches, 4);
}

TEST_F(QueryReaderTest, StopsWhileTheServerThinks) {
  const auto reader = Reader();
  const std::string select = "SELECT pg_sleep(1000)::text";
  const auto columns = Must(reader->Describe(select));
  std::stop_source stop;
  std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    stop.request_stop();
  });
  const auto read =
      reader->Read(select, columns, [](const auto&) -> Result<> { return {}; }, stop.get_token());
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kCancelled);
}

TEST_F(QueryReaderTest, ErrorsOfTheConsumerEndTheRead) {
  const auto reader = Reader();
  const std::string select = "SELECT generate_series(1, 100000000) AS i";
  const auto columns = Must(reader->Describe(select));
  const auto read = reader->Read(select, columns, [](const auto&) -> Result<> {
    return Fail(ErrorCode::kOutOfSpace, "full");
  });
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().message, "full");
}

TEST_F(QueryReaderTest, ValuesThatDoNotFitAreNamed) {
  Run("CREATE TABLE t (id int, price numeric(10,2), at timestamptz);"
      "INSERT INTO t SELECT i, i, now() FROM generate_series(1, 20) AS i;"
      "UPDATE t SET price = 'NaN' WHERE id = 7; UPDATE t SET at = '-infinity' WHERE id = 9");
  EXPECT_EQ(ErrorOf("SELECT id, price FROM t ORDER BY id", Options()).message,
            "column \"price\", row 7: NaN has no place in decimal128(10, 2); leave such rows out, "
            "or write in a query nullif(\"price\", 'NaN') to have null, or \"price\"::text to have "
            "text");
  EXPECT_EQ(ErrorOf("SELECT at FROM t ORDER BY id", Options()).message,
            "column \"at\", row 9: infinity has no place in timestamp[us, tz=UTC]; leave such rows "
            "out, or write in a query CASE WHEN isfinite(\"at\") THEN \"at\" END to have null, or "
            "\"at\"::text to have text");
  EXPECT_EQ(Table("SELECT price::text, at::text FROM t")->num_rows(), 20);
}

}  // namespace
}  // namespace spillway::postgres_source
