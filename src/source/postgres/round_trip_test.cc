#include <random>
#include <string>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "format/format.h"
#include "postgres/server_fixture.h"
#include "source/postgres/query_reader.h"
#include "source/postgres/selection.h"

namespace spillway::postgres_source {
namespace {

using postgres::Must;

class RoundTripTest : public postgres::ServerTest {};

struct Type {
  const char* name;
  /// Random values, of `r`, a random float8 of [0, 1), and `i`, the row.
  const char* values;
  /// As PostgreSQL's own functions spell what CSV is to say; "%s" is the value.
  const char* text;
};

constexpr Type kTypes[] = {
    {"bool", "r < 0.5", "CASE WHEN %s THEN 'true' ELSE 'false' END"},
    {"int2", "(r * 65535 - 32768)::int2", "%s::text"},
    {"int4", "(r * 4294967295 - 2147483648)::int4", "%s::text"},
    {"int8", "(r * 1e18)::int8 * (1 - 2 * (i % 2))", "%s::text"},
    {"oid", "(r * 4294967295)::int8::oid", "%s::text"},
    {"numeric(5,5)", "trunc(r::numeric, 5) * 0.999", "%s::text"},
    {"numeric(18,4)", "(r * 1e14)::numeric * (1 - 2 * (i % 2)) * 0.99", "%s::text"},
    {"numeric(38,0)", "(r * 1e38)::numeric * 0.99 * (1 - 2 * (i % 2))", "%s::text"},
    {"numeric(38,20)", "((r * 1e18)::numeric * 0.99 + random()::numeric / 7) * (1 - 2 * (i % 2))",
     "%s::text"},
    {"numeric(76,30)",
     "((r * 1e45)::numeric * 0.99 + 1 / (1 + random()::numeric)) * (1 - 2 * (i % 2))", "%s::text"},
    {"numeric", "(r::numeric * 10 ^ (i % 60)::numeric) / 7", "%s::text"},
    {"text",
     "CASE i % 5 WHEN 0 THEN '' WHEN 1 THEN 'grün 中文 🙂' WHEN 2 THEN 'a \"quoted\", line' || "
     "chr(10) ELSE md5(r::text) END",
     "%s"},
    {"varchar(20)", "substr(md5(r::text), 1, (i % 20)::int)", "%s"},
    {"char(10)", "substr(md5(r::text), 1, (i % 10)::int)", "rpad(%s::text, 10)"},
    {"name", "md5(r::text)::name", "%s::text"},
    {"bytea", "decode(md5(r::text), 'hex')", "translate(encode(%s, 'base64'), chr(10), '')"},
    {"date", "'0001-01-01'::date + (r * 3652000)::int", "to_char(%s, 'YYYY-MM-DD')"},
    {"time", "'00:00'::time + r * '1 day'::interval", "to_char(%s, 'HH24:MI:SS.US')"},
    {"timestamp", "'0001-01-01'::timestamp + r * 3652000 * '1 day'::interval",
     "to_char(%s, 'YYYY-MM-DD\"T\"HH24:MI:SS.US')"},
    {"timestamptz", "'0001-01-01Z'::timestamptz + r * 3652000 * '1 day'::interval",
     "to_char(%s AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"},
    {"interval", "r * '1000 days'::interval + (i % 50) * '1 month'::interval", "%s::text"},
    {"uuid", "md5(r::text)::uuid", "%s::text"},
    {"json", "json_build_object('r', r, 'i', i)", "%s::text"},
    {"jsonb", "jsonb_build_object('r', r, 'i', i, 't', 'ü\"')", "%s::text"},
    {"int4[]", "ARRAY[i::int4, NULL, (r * 1000)::int4]", "%s::text"},
    {"text[]", "ARRAY[md5(r::text), 'a \"b\" {c}', NULL, '']", "%s::text"},
    {"inet", "('10.0.0.0'::inet + (r * 16000000)::int8)", "regexp_replace(%s::text, '/32$', '')"},
    {"cidr", "set_masklen(('10.0.0.0'::inet + (r * 255)::int8 * 65536)::cidr, 16)", "%s::text"},
    {"macaddr", "substr(md5(r::text), 1, 12)::macaddr", "%s::text"},
    {"int4range", "int4range((r * 1000)::int4, 1000 + (i % 10)::int4)", "%s::text"},
    {"tstzrange", "tstzrange('2025-01-01Z', '2025-01-01Z'::timestamptz + r * '1 year'::interval)",
     "%s::text"},
    {"xml",
     "('<?xml version=\"1.' || i % 2 || '\" encoding=\"ISO-8859-1\"?>' || chr(10) || '<a>é ' || i "
     "|| "
     "'</a>')::xml",
     "nullif(concat(%s), '')"},
    {"xml[]", "ARRAY['<?xml version=\"1.0\" encoding=\"UTF-16\"?><a>é</a>'::xml, NULL]",
     "%s::text"},
    {"money", "((r - 0.5) * 1e9)::numeric::money", "%s::numeric::text"},
    {"spoken", "ROW(i, 'é')::spoken", "nullif(concat(%s), '')"},
    {"mood", "CASE WHEN r < 0.5 THEN 'glad' ELSE 'so so' END::mood", "%s::text"},
};

std::string Replace(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

std::string Csv(QueryReader& reader, const std::string& select) {
  const auto columns = Must(reader.Describe(select));
  const auto format = Must(format::NewCsvFormat({.null_marker = "\\N"}));
  const auto encoder = Must(format->NewEncoder(*SchemaOf(columns), {}));
  Buffer out;
  Must(reader.Read(select, columns,
                   [&](const arrow::RecordBatch& batch) { return encoder->Append(batch, out); }));
  Must(encoder->Finish(out));
  return std::string(out.view());
}

// What our decoder and CSV make of a value is what PostgreSQL makes of it, as text.
TEST_F(RoundTripTest, EveryTypeIsWhatPostgresqlSays) {
  const auto seed = static_cast<double>(std::random_device{}() % 1'000'000) / 1e6;
  SCOPED_TRACE("setseed(" + std::to_string(seed) + ")");
  const auto writer = Open();
  // A user's cast need not be what the type's output says.
  Must(writer->ExecuteScript(
      "CREATE TYPE mood AS ENUM ('glad', 'so so'); CREATE TYPE spoken AS (i int8, t text);"
      "CREATE FUNCTION says(spoken) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ''something''';"
      "CREATE CAST (spoken AS text) WITH FUNCTION says(spoken)"));
  std::string values, list, texts;
  for (int n = 0; const Type& type : kTypes) {
    const std::string column = "c" + std::to_string(n++);
    const std::string separator = n == 1 ? "" : ", ";
    values += separator + "(CASE WHEN random() < 0.95 THEN " + type.values + " END)::" + type.name +
              " AS " + column;
    list += separator + column;
    texts += separator + Replace(type.text, "%s", column) + " AS " + column;
    if (std::string_view(type.name) == "bool")
      texts = "CASE WHEN c0 IS NULL THEN NULL WHEN c0 THEN 'true' ELSE 'false' END AS c0";
  }
  Must(writer->ExecuteScript(
      "SELECT setseed(" + std::to_string(seed) +
      "); SET TimeZone = 'UTC'; CREATE TABLE t AS SELECT i, " + values +
      " FROM (SELECT i, random() AS r FROM generate_series(1, 100000) AS i) AS g"));
  const auto reader = Must(QueryReader::Open({.address = Url()}));
  const std::string ours = Csv(*reader, "SELECT " + list + " FROM t ORDER BY i");
  const std::string theirs = Csv(*reader, "SELECT " + texts + " FROM t ORDER BY i");
  ASSERT_GT(ours.size(), 10'000'000U);
  if (ours == theirs) return;
  const auto [a, b] = std::ranges::mismatch(ours, theirs);
  const auto from = static_cast<size_t>(std::max<int64_t>(a - ours.begin() - 300, 0));
  FAIL() << "ours: …" << ours.substr(from, 400) << "\ntheirs: …" << theirs.substr(from, 400);
}

// Floating point numbers read back the same, bit by bit.
TEST_F(RoundTripTest, FloatsReadBack) {
  Must(Open()->ExecuteScript(
      "CREATE TABLE f AS SELECT i, ((random() - 0.5) * 10 ^ (i % 600 - 300)::float8)::float8 AS d,"
      " ((random() - 0.5) * 10 ^ (i % 70 - 35)::float8)::float4 AS f FROM generate_series(1, "
      "20000) AS i;"
      "INSERT INTO f VALUES (0, 'NaN', 'Infinity'), (-1, '-0', '-Infinity');"
      "CREATE TABLE back (i int, d float8, f float4)"));
  const auto reader = Must(QueryReader::Open({.address = Url()}));
  const std::string csv = Csv(*reader, "SELECT i, d, f FROM f");
  bool sent = false;
  Must(Open()->CopyIn("COPY back FROM STDIN (FORMAT csv, HEADER)",
                      [&]() -> Result<std::span<const std::byte>> {
                        if (std::exchange(sent, true)) return std::span<const std::byte>();
                        return std::as_bytes(std::span(csv));
                      }));
  EXPECT_EQ(Must(Open()->Execute("SELECT count(*) FROM f JOIN back AS b USING (i) WHERE "
                                 "float8send(f.d) = float8send(b.d)"
                                 " AND float4send(f.f) = float4send(b.f)"))
                .Integer(0, 0),
            20'002);
}

TEST(SqlAscii, TextThatIsNotUtf8IsNamed) {
  postgres::TestServer server({.encoding = "SQL_ASCII"});
  const auto writer = Must(postgres::Connection::Open(server.Url()));
  Must(
      writer->ExecuteScript("CREATE TABLE t (id int, name text); INSERT INTO t VALUES (1, "
                            "'gr\xC3\xBCn'), (2, E'gr\\xFCn')"));
  const auto reader = Must(QueryReader::Open({.address = server.Url()}));
  const auto columns = Must(reader->Describe("SELECT * FROM t"));
  const auto consume = [](const auto&) -> Result<> { return {}; };
  EXPECT_EQ(Must(reader->Read("SELECT * FROM t WHERE id = 1", columns, consume)), 1);
  const auto read = reader->Read("SELECT * FROM t", columns, consume);
  ASSERT_FALSE(read.has_value());
  EXPECT_TRUE(read.error().message.starts_with("column \"name\", row 2: text that is not UTF-8"))
      << read.error().message;
  // The remedy works as it is written.
  const std::string& message = read.error().message;
  const std::string remedy = message.substr(message.find("convert_from"));
  const auto again = Must(QueryReader::Open({.address = server.Url()}));
  EXPECT_EQ(Csv(*again, "SELECT id, " + remedy + " AS name FROM t WHERE id = 2"),
            "id,name\r\n2,gr\xC3\xBCn\r\n");
}

}  // namespace
}  // namespace spillway::postgres_source
