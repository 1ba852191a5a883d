#include "source/postgres/job_instant.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "postgres/server_fixture.h"
#include "source/postgres/dependences.h"
#include "source/postgres/read_table.h"
#include "source/postgres/selection.h"

namespace spillway::postgres_source {
namespace {

using postgres::Must;

class JobInstantTest : public postgres::ServerTest {
 protected:
  void Run(const std::string& script) const { Must(Open()->ExecuteScript(script)); }
  std::unique_ptr<QueryReader> Reader(const std::string& zone = "UTC") const {
    return Must(QueryReader::Open({.address = Url(), .time_zone = zone}));
  }
  static std::string Rows(QueryReader& reader, const std::string& select) {
    return RowsAsText(*ReadTable(reader, select, Must(reader.Describe(select))));
  }
  static std::string Names(QueryReader& reader, const std::string& select) {
    std::string names;
    for (const Column& column : Must(reader.Describe(select)))
      names += column.name + " " + column.type_name + "\n";
    return names;
  }
};

TEST_F(JobInstantTest, F02EverySessionHasTheInstantOfTheFirst) {
  Run("CREATE TABLE t AS SELECT 1 AS id, '2025-01-01Z'::timestamptz AS at");
  const auto first = Reader("Europe/Berlin");
  const auto second = Reader("Europe/Berlin");
  for (const char* query :
       {"SELECT now() FROM t",
        "SELECT id, now()::text, now() AS n, transaction_timestamp(), CURRENT_TIMESTAMP FROM t",
        "SELECT pg_catalog.now(), \"now\"(), now ( /* ) */ ), Now() + '1 h' FROM t",
        "SELECT CURRENT_TIMESTAMP(3), current_time, CURRENT_TIME (2), LOCALTIME, localtime(0)",
        "SELECT LOCALTIMESTAMP, LOCALTIMESTAMP(0), now()::date, now()::timestamptz::text",
        "SELECT age(at), age(at::timestamp), age(at, now()), pg_catalog.age( at ) FROM t",
        "SELECT 'now'::timestamptz, timestamptz 'now', CAST('now' AS timestamp), 'NOW'::time",
        "SELECT E'now'::timestamptz, $$now$$::timestamptz, '{now,\"now\"}'::timestamptz[]",
        "SELECT '[now,infinity)'::tstzrange, 'now'::timetz, $a$ now $a$::timestamptz(2)",
        "SELECT id FROM t WHERE at < 'now' AND now() > at GROUP BY id, now() HAVING now() > now()",
        "SELECT now(), count(*) FROM t GROUP BY now() ORDER BY now()",
        "SELECT q.now, q.n FROM (SELECT now(), now()::date AS n FROM t) AS q",
        "WITH w AS (SELECT now() FROM t) SELECT now FROM w",
        "SELECT CASE WHEN id > 0 THEN now() ELSE now() END, extract(epoch FROM now()) FROM t",
        "SELECT (SELECT max(x) FROM (VALUES (now()), ('now')) AS v(x)), ARRAY[now()] FROM t",
        "SELECT id FROM t WHERE EXISTS (SELECT FROM t WHERE at < CURRENT_TIMESTAMP)",
        "SELECT 'ü', \"n\" FROM (SELECT now() AS \"n\") AS \"now()\" -- now()"}) {
    const std::string pinned = Must(WithInstant(*first, query));
    EXPECT_NE(pinned, query);
    EXPECT_EQ(Names(*first, pinned), Names(*first, query)) << pinned;
    const std::string rows = Rows(*first, query);
    EXPECT_EQ(Rows(*first, pinned), rows) << pinned;
    EXPECT_EQ(Rows(*second, pinned), rows) << pinned;
    EXPECT_EQ(Must(FindDependences(*second, pinned, false)).session, "") << pinned;
    EXPECT_EQ(Must(WithInstant(*second, pinned)), pinned);
  }
}

TEST_F(JobInstantTest, F02DaysAreThoseOfTheJob) {
  const auto reader = Reader();
  for (const char* query :
       {"SELECT CURRENT_DATE", "SELECT 'today'::date", "SELECT date 'tomorrow'",
        "SELECT 'yesterday'::timestamp", "SELECT 'today 12:30'::timestamptz",
        "SELECT '{yesterday,today,tomorrow}'::date[]", "SELECT '[today,tomorrow)'::daterange"}) {
    const std::string pinned = Must(WithInstant(*reader, query));
    EXPECT_NE(pinned, query);
    EXPECT_EQ(Rows(*reader, pinned), Rows(*reader, query)) << pinned;
    EXPECT_EQ(Names(*reader, pinned), Names(*reader, query)) << pinned;
  }
}

TEST_F(JobInstantTest, F02AStatementHasTheInstantOfItsJob) {
  const auto reader = Reader();
  const std::string pinned =
      Must(WithInstant(*reader, "SELECT now() = statement_timestamp() AS same"));
  EXPECT_EQ(Rows(*reader, pinned), "true\n") << pinned;
}

TEST_F(JobInstantTest, F02WhatIsRepeatedIsReadByOneSession) {
  Run("CREATE TABLE t AS SELECT i % 3 AS k, '2025-01-01Z'::timestamptz + i * interval '1 day' AS ts"
      " FROM generate_series(1, 9) AS i");
  for (const char* query :
       {"SELECT date_trunc('day', now() - ts) AS age, count(*) AS n FROM t"
        " GROUP BY date_trunc('day', now() - ts)",
        "SELECT now() - ts AS age, count(*) FROM t GROUP BY now() - ts",
        "SELECT CASE WHEN ts > now() - interval '9 days' THEN 'new' ELSE 'old' END, count(*) FROM t"
        " GROUP BY CASE WHEN ts > now() - interval '9 days' THEN 'new' ELSE 'old' END",
        "SELECT t.k FROM t GROUP BY t.k, ts > now() ORDER BY t.k, ts > now()",
        "SELECT DISTINCT now()::date - ts::date AS d FROM t ORDER BY now()::date - ts::date",
        "SELECT DISTINCT ON (now()) now(), k FROM t ORDER BY now(), k",
        "SELECT CURRENT_DATE - ts::date, count(*) FROM t GROUP BY CURRENT_DATE - ts::date",
        "SELECT age(ts), count(*) FROM t GROUP BY age(ts)",
        "SELECT CURRENT_DATE AS day, k, count(*) FROM t GROUP BY ROLLUP (CURRENT_DATE, k)"
        " ORDER BY 1, 2",
        "SELECT now()::date AS day, k, count(*) FROM t GROUP BY CUBE (now()::date, k) ORDER BY 1, "
        "2",
        "SELECT * FROM (SELECT k, CURRENT_DATE AS day, sum(k) FROM t"
        " GROUP BY GROUPING SETS ((k, CURRENT_DATE), (k))) AS sums ORDER BY 1, 2"}) {
    const auto reader = Reader();
    const std::string rows = Rows(*reader, query);
    const auto resolved = Resolve(*reader, {.query = query});
    ASSERT_TRUE(resolved.has_value()) << query << ": " << resolved.error().message;
    EXPECT_EQ(Rows(*reader, resolved->Select()), rows) << query;
    const Dependences found = Must(FindDependences(*reader, resolved->Select(), false));
    EXPECT_NE(found.session, "") << query;
    EXPECT_NE(found.scan, "") << query;
    EXPECT_NE(Must(reader->ExportSnapshot()), "");
    EXPECT_TRUE(reader->usable());
  }
}

TEST_F(JobInstantTest, F02WhatIsNoTimeStays) {
  Run("CREATE TABLE today (now text); CREATE SCHEMA s;"
      "CREATE FUNCTION s.now() RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'mine'$$");
  const auto reader = Reader();
  for (const char* query :
       {"SELECT 'now', 'today'::text, now AS \"current_date\" FROM today WHERE now = 'yesterday'",
        "SELECT s.now(), '2025-01-01'::date, '1 day'::interval, 'today'::regclass, '{now}'::text[]",
        "SELECT '{\"now\": 1}'::jsonb, $$now()$$ AS now -- CURRENT_DATE"})
    EXPECT_EQ(Must(WithInstant(*reader, query)), query);
}

TEST_F(JobInstantTest, F02ParametersAreOfTheInstantToo) {
  const auto first = Reader();
  const auto second = Reader();
  const Wanted wanted{
      .query = "SELECT :tick::timestamptz AS a, :day::date AS b, :ticks::timestamptz[] AS c",
      .parameters = {{"tick", "now"}, {"day", "tomorrow"}, {"ticks", "{now,today}"}}};
  const Selection selection = Must(Resolve(*first, wanted));
  EXPECT_EQ(selection.from.find("'now'"), std::string::npos) << selection.from;
  EXPECT_EQ(Rows(*first, selection.Select()), Rows(*second, selection.Select()));
  EXPECT_EQ(Rows(*first, selection.Select() + " WHERE a = now() AND c[1] = now()").empty(), false);
}

TEST_F(JobInstantTest, F02IsWrittenInUtc) {
  const auto reader = Reader("Asia/Tokyo");
  const std::string instant = Must(InstantOf(*reader));
  EXPECT_EQ(instant.size(), std::string("2025-01-01T00:00:00.000000Z").size()) << instant;
  EXPECT_EQ(Rows(*reader, "SELECT '" + instant + "'::timestamptz = now()"), "true\n");
}

}  // namespace
}  // namespace spillway::postgres_source
