#include "source/postgres/dependences.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "postgres/server_fixture.h"
#include "source/postgres/selection.h"
#include "source/postgres/split.h"

namespace spillway::postgres_source {
namespace {

using postgres::Must;

class DependencesTest : public postgres::ServerTest {
 protected:
  void Run(const std::string& script) const { Must(Open()->ExecuteScript(script)); }
  std::unique_ptr<QueryReader> Reader(const std::string& user = postgres::TestServer::kUser,
                                      bool row_security = false) const {
    return Must(QueryReader::Open({.address = Url(user), .row_security = row_security}));
  }
  Dependences Of(const std::string& select) const {
    return Must(FindDependences(*Reader(), select, false));
  }
  std::string Scan(const std::string& select) const { return Of(select).scan; }
  /// What splitting by `column` says; empty: it splits.
  std::string Refusal(const Wanted& wanted, const std::string& column) const {
    const auto reader = Reader();
    const Selection selection = Must(Resolve(*reader, wanted));
    const auto splits = SplitByKey(*reader, selection, column, "", 4);
    return splits.has_value() ? "" : splits.error().message;
  }
};

constexpr char kTables[] =
    "CREATE TABLE t (id int PRIMARY KEY, k int, f float8, n numeric, s text, at timestamptz);"
    "INSERT INTO t SELECT i, i % 5, i, i, i::text, now() FROM generate_series(1, 100) AS i;"
    "CREATE FUNCTION chance() RETURNS float8 LANGUAGE sql AS 'SELECT random()';"
    "CREATE FUNCTION soon() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now()';"
    "CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';";

TEST_F(DependencesTest, F01WhatDependsOnAScanIsFound) {
  Run(std::string(kTables) +
      "CREATE VIEW numbered AS SELECT row_number() OVER () AS n, id FROM t;"
      "CREATE VIEW outer_view AS SELECT * FROM numbered;"
      "CREATE FUNCTION always(int, int) RETURNS bool LANGUAGE sql AS 'SELECT random() < 2';"
      "CREATE OPERATOR ~~~ (LEFTARG = int, RIGHTARG = int, FUNCTION = always);"
      "CREATE VIEW by_operator AS SELECT id FROM t WHERE id ~~~ k;"
      "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2',"
      " deterministic = false); CREATE TABLE c (a text COLLATE any_case);"
      "CREATE TYPE pair AS (a int, b date); CREATE EXTENSION citext; CREATE DOMAIN price AS "
      "numeric;"
      "CREATE TABLE v (b bpchar, c char(3), z timetz, i interval, r pair, a numeric[], e citext,"
      " d price)");
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"SELECT row_number() OVER (ORDER BY k) AS n, id FROM t", "window function"},
      {"SELECT id, sum(k) OVER (PARTITION BY k) FROM t", "window function"},
      {"SELECT * FROM numbered", "window function"},
      {"SELECT * FROM outer_view", "window function"},
      {"WITH w AS (SELECT row_number() OVER () AS n FROM t) SELECT * FROM w", "window function"},
      {"SELECT id FROM t WHERE id IN (SELECT rank() OVER (ORDER BY id) FROM t)", "window function"},
      {"SELECT id FROM t LIMIT 10", "LIMIT"},
      {"SELECT id FROM t OFFSET 10", "LIMIT"},
      {"SELECT id FROM t FETCH FIRST 3 ROWS ONLY", "LIMIT"},
      {"SELECT * FROM (SELECT id FROM t ORDER BY k LIMIT 3) AS q", "LIMIT"},
      {"SELECT (SELECT s FROM t AS u WHERE u.k = t.k LIMIT 1) FROM t", "LIMIT"},
      {"SELECT id FROM t, LATERAL (SELECT k FROM t AS u LIMIT 1) AS l", "LIMIT"},
      {"SELECT DISTINCT ON (k) k, id FROM t", "DISTINCT ON"},
      {"SELECT id, random() FROM t", "volatile function random()"},
      {"SELECT id FROM t WHERE random() < 0.5", "volatile function random()"},
      {"SELECT id, gen_random_uuid() FROM t", "volatile function gen_random_uuid()"},
      {"SELECT id, clock_timestamp() FROM t", "volatile function clock_timestamp()"},
      {"SELECT id, chance() FROM t", "volatile function chance()"},
      {"SELECT id FROM by_operator", "volatile function always(integer,integer)"},
      {"SELECT id, soon() FROM t", "not IMMUTABLE, soon()"},
      {"SELECT id, pg_backend_pid() FROM t", "of the session, pg_backend_pid()"},
      {"SELECT id FROM t TABLESAMPLE bernoulli (50)", "TABLESAMPLE"},
      {"SELECT id FROM t FOR UPDATE", "locks rows"},
      {"SELECT id FROM (SELECT id FROM t FOR SHARE) AS q", "locks rows"},
      {"SELECT k, string_agg(s, ',') FROM t GROUP BY k", "string_agg(text,text)"},
      {"SELECT k, array_agg(s) FROM t GROUP BY k", "array_agg"},
      {"SELECT sum(f) FROM t", "sum(double precision)"},
      {"SELECT avg(f) FROM t", "avg(double precision)"},
      {"SELECT max(n) FROM t", "max(numeric)"},
      {"SELECT id FROM t WHERE f > (SELECT avg(f) FROM t)", "avg(double precision)"},
      {"SELECT id, ARRAY(SELECT id FROM t) FROM t", "ARRAY(SELECT"},
      {"SELECT DISTINCT n, k FROM t", "type numeric"},
      {"SELECT f FROM t UNION SELECT f FROM t", "type double precision"},
      {"SELECT n, count(*), 1 AS one FROM t GROUP BY n", "type numeric"},
      {"SELECT id FROM t WHERE s::date > '2025-01-01'", "it reads texts as date"},
      {"SELECT ('{' || s || '}')::date[] FROM t", "it reads texts as date[]"},
      {"SELECT s::pair FROM t", "it reads texts as pair"},
      {"SELECT d FROM t, jsonb_to_recordset(to_jsonb(s)) AS r(d date)", "present time"},
      {"SELECT id, x FROM t, XMLTABLE('/a' PASSING (s::xml) COLUMNS x int)", "XMLTABLE"},
      {"SELECT DISTINCT a, 1 FROM c", "collation any_case"},
      {"SELECT now() FROM t", "present time"},
      {"SELECT id, xmax FROM t", "xmax, cmin or cmax"},
      // Equal values of these types may look different.
      {"SELECT max(b) FROM v", "max(character)"},
      {"SELECT min(b) FROM v", "min(character)"},
      {"SELECT b, count(*), 1 AS one FROM v GROUP BY b", "type character"},
      {"SELECT DISTINCT c, 1 AS one FROM v", "type character"},
      {"SELECT DISTINCT z, 1 AS one FROM v", "type time with time zone"},
      {"SELECT DISTINCT i, 1 AS one FROM v", "type interval"},
      {"SELECT DISTINCT r, 1 AS one FROM v", "type record"},
      {"SELECT DISTINCT a, 1 AS one FROM v", "type anyarray"},
      {"SELECT DISTINCT e, 1 AS one FROM v", "type citext"},
      {"SELECT DISTINCT d, 1 AS one FROM v", "type numeric"},
      {"SELECT max(e) FROM v", "max(citext)"},
      {"SELECT max(r) FROM (SELECT max(a) AS r FROM v) AS q", "max(anyarray)"},
      {"SELECT sum(DISTINCT n) FROM t", "type numeric"},
      {"SELECT max(a) FROM c", "collation any_case"},
  };
  for (const auto& [select, reason] : kinds)
    EXPECT_NE(Scan(select).find(reason), std::string::npos) << select << ": " << Scan(select);
}

TEST_F(DependencesTest, F01WhatIsTheSameInEveryScanMayBeSplit) {
  Run(std::string(kTables) +
      "CREATE VIEW v AS SELECT id, twice(k) AS k FROM t WHERE k < 4;"
      "CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2',"
      " deterministic = false); CREATE TABLE c (a text COLLATE no_case);"
      "CREATE TYPE mood AS ENUM ('glad'); CREATE TABLE p (id int, m mood) PARTITION BY LIST (id)");
  for (const char* select :
       {"SELECT * FROM t", "SELECT * FROM v", "SELECT m, count(*) FROM p GROUP BY m",
        "SELECT id, twice(id), upper(s), at::text, to_char(at, 'YYYY') FROM t WHERE s LIKE 'a%'",
        "SELECT t.id, u.s FROM t JOIN t AS u USING (k) WHERE EXISTS (SELECT FROM v)",
        "SELECT k, count(*), sum(n), min(at), bool_and(k > 3) FROM t GROUP BY k HAVING max(k) > 2",
        "SELECT id FROM t WHERE k = (SELECT max(k) FROM t) ORDER BY s",
        "SELECT id FROM t UNION ALL SELECT k FROM t", "SELECT id FROM t UNION SELECT k FROM t",
        "SELECT k, count(DISTINCT n), sum(DISTINCT k) FROM t GROUP BY k",
        "SELECT id FROM t LIMIT ALL", "SELECT id, generate_series(1, 3) FROM t",
        "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 9)"
        " SELECT * FROM r",
        "SELECT CASE WHEN k > 1 THEN 'a' ELSE s END, coalesce(s, 'x'), nullif(k, 2), ROW(id, k),"
        " ARRAY[id, k], (ARRAY[1, 2])[k], greatest(id, k), id IN (1, 2), s ~ 'a', s::int,"
        " s::numeric, at::date, current_user, s IS DISTINCT FROM 'a', (id, k) < (1, 2) FROM t",
        "SELECT k, (SELECT s FROM t AS u WHERE u.id = t.k), at AT TIME ZONE 'UTC',"
        " date_trunc('day', at), extract(hour FROM at), at + '1 day', s COLLATE \"C\" FROM t"})
    EXPECT_EQ(Scan(select), "") << select;
}

TEST_F(DependencesTest, F01WholeGroupsMayBeSplit) {
  Run(std::string(kTables) +
      "CREATE VIEW grouped AS SELECT k, string_agg(s, ',') AS s, sum(f) AS f"
      " FROM t GROUP BY k");
  EXPECT_EQ(Refusal({.query = "SELECT k, string_agg(s, ',') FROM t GROUP BY k"}, "k"), "");
  EXPECT_EQ(Refusal({.query = "SELECT n, sum(f) FROM t GROUP BY n"}, "n"), "");
  EXPECT_EQ(Refusal({.query = "SELECT DISTINCT n, k FROM t"}, "n"), "");
  EXPECT_EQ(Refusal({.table = "grouped"}, "k"), "");
  EXPECT_NE(Refusal({.table = "grouped"}, "f"), "");
  EXPECT_NE(Refusal({.query = "SELECT t.id, g.s FROM t JOIN grouped AS g USING (k)"}, "id"), "");
  EXPECT_NE(Refusal({.query = "SELECT k, n, sum(f) FROM t GROUP BY GROUPING SETS (k, n)"}, "k"),
            "");
}

TEST_F(DependencesTest, H1DistinctRowsAreNoWholeGroups) {
  Run(std::string(kTables));
  const std::string grouped = "SELECT DISTINCT k, string_agg(s, ',') AS s FROM t GROUP BY k";
  EXPECT_NE(Refusal({.query = grouped}, "s").find("string_agg"), std::string::npos);
  EXPECT_NE(Refusal({.query = "SELECT * FROM (" + grouped + ") AS d"}, "s"), "");
  EXPECT_EQ(Refusal({.query = grouped}, "k"), "");
  EXPECT_NE(Refusal({.query = "SELECT DISTINCT count(*) AS c, n FROM t GROUP BY n"}, "c"), "");
  EXPECT_NE(Refusal({.query = "SELECT DISTINCT string_agg(s, ',') AS s FROM t"}, "s"), "");
  EXPECT_EQ(Refusal({.query = "SELECT DISTINCT q.k, q.s, f FROM (SELECT k, string_agg(s, ',') AS s,"
                              " sum(f) AS f FROM t GROUP BY k) AS q"},
                    "k"),
            "");
  EXPECT_NE(Refusal({.query = "SELECT k, f FROM t UNION SELECT k, sum(f) FROM t GROUP BY k"}, "k"),
            "");
}

TEST_F(DependencesTest, H1GroupsAreWholeInRangesOfTheirOwnOrder) {
  Run("CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext;"
      "CREATE TABLE t AS SELECT 'a'::ext.citext AS c, 'x' AS s, 1 AS k, 'v'::varchar(3) AS v,"
      " '2025-01-01'::date AS d");
  const auto refusal = [&](const std::string& column, const std::string& order = "") {
    return Refusal({.query = fmt::format("SELECT {0}, string_agg(s, ',') FROM t GROUP BY {0}{1}",
                                         column, order)},
                   column);
  };
  EXPECT_NE(refusal("c").find("string_agg"), std::string::npos) << refusal("c");
  Run("ALTER EXTENSION citext SET SCHEMA public");
  EXPECT_EQ(refusal("c"), "");
  for (const char* column : {"k", "v", "d", "c"}) {
    EXPECT_EQ(refusal(column, fmt::format(" ORDER BY {} DESC", column)), "") << column;
    EXPECT_EQ(refusal(column, fmt::format(" ORDER BY {} NULLS FIRST", column)), "") << column;
  }
}

TEST_F(DependencesTest, H2GroupsThatMayBeMissingFromARowAreNotWhole) {
  Run(std::string(kTables));
  const std::string grouped = "(SELECT k, string_agg(s, ',') AS s FROM t GROUP BY k) AS a";
  const auto refusal = [&](const std::string& from) {
    return Refusal({.query = "SELECT o.id, a.k AS k FROM " + from}, "k");
  };
  const std::string on = " ON a.k = o.k AND a.s < 'm'";
  for (const std::string& from : std::vector<std::string>{
           "t AS o LEFT JOIN " + grouped + on, grouped + " RIGHT JOIN t AS o" + on,
           grouped + " FULL JOIN t AS o ON a.k = o.k",
           "t AS o FULL JOIN " + grouped + " ON a.k = o.k",
           "t AS o LEFT JOIN LATERAL (SELECT k, string_agg(s, ',') AS s FROM t WHERE t.k = o.k"
           " GROUP BY k) AS a ON a.s < 'm'",
           "t AS o LEFT JOIN (" + grouped + " JOIN t AS p USING (k)) ON a.k = o.k AND a.s < 'm'",
           "t AS o LEFT JOIN (SELECT k, s FROM " + grouped + ") AS a" + on})
    EXPECT_NE(refusal(from).find("string_agg"), std::string::npos) << from << refusal(from);
  for (const std::string& from : std::vector<std::string>{
           "t AS o JOIN " + grouped + on, grouped + " LEFT JOIN t AS o" + on,
           "t AS o RIGHT JOIN " + grouped + on, "t AS o, " + grouped + " WHERE a.s < 'm'",
           "t AS o, LATERAL (SELECT k, string_agg(s, ',') AS s FROM t WHERE t.k = o.k GROUP BY k) "
           "AS a"
           " WHERE EXISTS (SELECT FROM t AS p WHERE p.s = a.s)",
           "(t AS o LEFT JOIN t AS p USING (id)) JOIN " + grouped + " ON a.k = o.k"})
    EXPECT_EQ(refusal(from), "") << from;
  // What only decides whether there is a row is in no range.
  for (const char* condition : {"EXISTS (SELECT FROM t AS a GROUP BY a.k HAVING min(a.k) = o.k"
                                " AND string_agg(a.s, ',') < 'm')",
                                "k NOT IN (SELECT a.k FROM t AS a GROUP BY a.k"
                                " HAVING string_agg(a.s, ',') < 'm')",
                                "k IN (SELECT a.k FROM t AS a GROUP BY a.k"
                                " HAVING string_agg(a.s, ',') < 'm')"}) {
    const std::string query = "SELECT o.id, o.k FROM t AS o WHERE " + std::string(condition);
    EXPECT_NE(Refusal({.query = query}, "k").find("string_agg"), std::string::npos) << query;
  }
}

TEST_F(DependencesTest, F01TheRefusalNamesReasonAndRemedy) {
  Run(kTables);
  EXPECT_EQ(
      Refusal({.query = "SELECT row_number() OVER (ORDER BY k) AS n, id FROM t"}, "n"),
      "split_by: parts read apart may miss rows or have them twice: it has a window function; "
      "set split_by: none, with which one session reads all");
}

TEST_F(DependencesTest, F02TheTimeInAViewIsOneSessions) {
  Run(std::string(kTables) +
      "CREATE VIEW valid AS SELECT id FROM t WHERE at > now();"
      "CREATE VIEW today AS SELECT id, CURRENT_DATE AS d FROM t;"
      "CREATE VIEW old AS SELECT id, age(at) AS a FROM t;"
      "CREATE VIEW dumped AS SELECT id FROM t WHERE at < ('now'::text)::timestamptz;"
      "CREATE FUNCTION since(timestamptz DEFAULT now()) RETURNS timestamptz LANGUAGE sql"
      " IMMUTABLE AS 'SELECT $1'; CREATE VIEW other AS SELECT statement_timestamp() AS n");
  for (const char* select : {"SELECT * FROM valid", "SELECT * FROM today", "SELECT * FROM old",
                             "SELECT id, since() FROM t", "SELECT * FROM dumped"})
    EXPECT_NE(Of(select).session.find("present time"), std::string::npos) << select;
  EXPECT_EQ(Of("SELECT id, since(at), at - interval '1 day' FROM t").session, "");
  const auto refused = FindDependences(*Reader(), "SELECT * FROM other", false);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("use now()"), std::string::npos);
}

TEST_F(DependencesTest, F02TextsThatMayNameATimeAreOneSessions) {
  Run(std::string(kTables) +
      "CREATE TYPE pair AS (a int, b date); CREATE DOMAIN day AS date;"
      "CREATE TYPE word AS (a int, b text)");
  for (const char* value :
       {"timestamptz U&'now'", "timestamptz U&'n!006fw' UESCAPE '!'", "E'\\x6eow'::timestamptz",
        "E'n\\157w'::time", "'no'\n 'w'::timestamptz", "E'tod' -- a day\n 'ay'::date",
        "U&'\\006eow'::timestamp", "U&'{now}'::timestamptz[]", "E'(1,n\\x6fw)'::pair",
        "U&'[now,infinity)'::tstzrange", "U&'{[now,)}'::tstzmultirange", "U&'today'::day",
        "U&'{\"(1,now)\"}'::pair[]"}) {
    const std::string select = "SELECT id, " + std::string(value) + " AS x FROM t";
    const Dependences found = Of(select);
    EXPECT_NE(found.session.find("text as "), std::string::npos) << select << found.session;
    EXPECT_EQ(found.scan, found.session) << select;
    EXPECT_NE(Refusal({.query = select}, "id").find("text as "), std::string::npos) << select;
  }
  for (const char* value :
       {"'2025-01-01'::date", "E'2025-01-01'::date", "$$2025-01-01$$::timestamptz", "NULL::date",
        "'{2025-01-01,NULL}'::date[]", "'(1,2025-01-01)'::pair", "U&'now'", "'{now}'::text[]",
        "U&'[\"now\"]'::jsonb", "'(1,now)'::word", "E'\\x31'::int", "U&'1 day'::interval",
        "date '2025-01-01' + 1", "at > '2025-01-01'"})
    EXPECT_EQ(Of("SELECT id, " + std::string(value) + " FROM t").session, "") << value;
  EXPECT_EQ(Refusal({.query = "SELECT id, 'now'::timestamptz AS x, date 'today' FROM t"}, "id"),
            "");
}

TEST_F(DependencesTest, F02WhatMayHideTheTimeIsOneSessions) {
  Run(std::string(kTables) +
      "CREATE FUNCTION later() RETURNS timestamptz LANGUAGE plpgsql AS 'BEGIN RETURN now(); END';"
      "CREATE FUNCTION expired(timestamptz, int) RETURNS bool LANGUAGE sql STABLE"
      " AS 'SELECT $1 < now()';"
      "CREATE OPERATOR <~ (LEFTARG = timestamptz, RIGHTARG = int, FUNCTION = expired);"
      "CREATE FUNCTION soon_state(timestamptz, int) RETURNS timestamptz LANGUAGE sql STABLE"
      " AS 'SELECT now()';"
      "CREATE AGGREGATE first_soon(int) (SFUNC = soon_state, STYPE = timestamptz);"
      "CREATE FUNCTION no_state(timestamptz, int) RETURNS timestamptz LANGUAGE sql IMMUTABLE"
      " AS 'SELECT $1';"
      "CREATE AGGREGATE sum_soon(int) (SFUNC = no_state, STYPE = timestamptz,"
      " MSFUNC = soon_state, MINVFUNC = soon_state, MSTYPE = timestamptz)");
  for (const auto& [select, name] : std::vector<std::pair<std::string, std::string>>{
           {"SELECT id FROM t WHERE at < soon()", "soon()"},
           {"SELECT id, later() FROM t", "later()"},
           {"SELECT id FROM t WHERE at <~ k", "expired(timestamp with time zone,integer)"},
           {"SELECT sum_soon(id) OVER (ORDER BY id ROWS 1 PRECEDING) FROM t",
            "soon_state(timestamp with time zone,integer)"},
           {"SELECT first_soon(id) OVER () FROM t", "soon_state(timestamp with time zone,integer)"},
           {"SELECT id, query_to_xml('SELECT now()', true, true, '') FROM t", "query_to_xml"},
           {"SELECT id, inet_client_port() FROM t", "inet_client_port()"},
           {"SELECT * FROM json_to_record('{\"a\":\"now\"}') AS r(a timestamptz)",
            "json_to_record"},
           {"SELECT * FROM jsonb_populate_recordset(null::t, '[{\"at\":\"now\"}]')",
            "jsonb_populate_recordset"},
           {"SELECT timestamptz_in('now', 0, -1)", "timestamptz_in"},
           {"SELECT id FROM t WHERE s::timestamptz > at", "timestamp with time zone"},
           {"SELECT id, ('{' || s || '}')::date[] FROM t", "date[]"},
           {"SELECT x FROM XMLTABLE('/a' PASSING '<a>now</a>' COLUMNS x date PATH '.')", "date"}}) {
    const Dependences found = Of(select);
    EXPECT_NE(found.session.find(name), std::string::npos) << select << ": " << found.session;
    EXPECT_NE(found.scan, "") << select;
  }
  for (const char* select :
       {"SELECT id, twice(k), to_char(at, 'YYYY'), at::date, to_jsonb(s), random(),"
        " clock_timestamp(), to_date(s, 'YYYY'), s::int, ('{' || s || '}')::int[] FROM t",
        "SELECT x FROM XMLTABLE('/a' PASSING '<a>1</a>' COLUMNS x int PATH '.')",
        "SELECT id, row_number() OVER () FROM t TABLESAMPLE system (50)",
        "SELECT id FROM t FOR UPDATE"})
    EXPECT_EQ(Of(select).session, "") << select;
}

/// A server that does not print how it reads a query: its set_config() does not switch that on.
constexpr char kSilent[] =
    "CREATE SCHEMA silent; CREATE FUNCTION silent.set_config(text, text, bool) RETURNS text"
    " LANGUAGE sql AS $$SELECT CASE WHEN $1 LIKE 'debug%' THEN 'off'"
    " ELSE pg_catalog.set_config($1, $2, $3) END$$;"
    "CREATE ROLE mute LOGIN; GRANT USAGE ON SCHEMA silent TO mute;"
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO mute;"
    "ALTER ROLE mute SET search_path = silent, pg_catalog, public";

TEST_F(DependencesTest, F02WhatASilentServerReadsIsOneSessions) {
  Run(std::string(kTables) + "CREATE VIEW v AS SELECT id FROM t WHERE at > now();" + kSilent);
  for (const Wanted& wanted : {Wanted{.table = "t"}, Wanted{.table = "v"},
                               Wanted{.query = "SELECT id FROM t WHERE at <= now()"}}) {
    const auto reader = Reader("mute");
    const Selection selection = Must(Resolve(*reader, wanted));
    const Dependences found = Must(FindDependences(*reader, selection.Select(), false));
    EXPECT_NE(found.session.find("does not say how it reads"), std::string::npos) << found.session;
    EXPECT_EQ(found.scan, found.session);
    EXPECT_TRUE(reader->usable());
  }
  const auto allowing = Reader("mute", true);
  const auto refused = FindDependences(*allowing, "SELECT id FROM t", false);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message.find("row_security"), std::string::npos);
}

constexpr char kPolicies[] =
    "CREATE TABLE r AS SELECT i AS id, i % 10 AS tenant FROM generate_series(1, 100) AS i;"
    "ALTER TABLE r ENABLE ROW LEVEL SECURITY;"
    "CREATE ROLE clerk LOGIN; CREATE ROLE auditor LOGIN BYPASSRLS; CREATE ROLE chief LOGIN;"
    "CREATE POLICY some_rows ON r FOR SELECT TO clerk USING (tenant = 3);"
    "CREATE TABLE plain AS SELECT 1 AS id;"
    "CREATE VIEW of_owner AS SELECT * FROM r;"
    "CREATE VIEW of_reader WITH (security_invoker) AS SELECT * FROM r;"
    "CREATE TABLE parts (id int) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF parts"
    " DEFAULT; ALTER TABLE parts ENABLE ROW LEVEL SECURITY;"
    "CREATE TABLE forced (id int); ALTER TABLE forced OWNER TO chief;"
    "ALTER TABLE forced ENABLE ROW LEVEL SECURITY; ALTER TABLE forced FORCE ROW LEVEL SECURITY;"
    "CREATE TABLE owned (id int); ALTER TABLE owned OWNER TO chief;"
    "ALTER TABLE owned ENABLE ROW LEVEL SECURITY;"
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO clerk, auditor";

TEST_F(DependencesTest, F03PoliciesAreRefusedOrNamed) {
  Run(kPolicies);
  const auto error = [&](const std::string& user, const std::string& select) {
    const auto found = FindDependences(*Reader(user), select, false);
    return found.has_value() ? Error{} : found.error();
  };
  const auto policies = [&](const std::string& user, const std::string& select) {
    return Must(FindDependences(*Reader(user, true), select, false)).policies;
  };
  using Names = std::vector<std::string>;
  for (const char* table : {"r", "of_reader", "parts"}) {
    const std::string select = "SELECT * FROM " + std::string(table);
    const Error refused = error("clerk", select);
    EXPECT_EQ(refused.code, ErrorCode::kPermissionDenied) << table;
    EXPECT_FALSE(refused.retryable);
    EXPECT_NE(refused.message.find("row_security: allow"), std::string::npos) << refused.message;
    EXPECT_NE(refused.message.find("clerk"), std::string::npos) << refused.message;
    EXPECT_EQ(error("auditor", select).message, "");
    EXPECT_EQ(policies("auditor", select), Names{});
  }
  EXPECT_EQ(policies("clerk", "SELECT * FROM r"), Names{"public.r"});
  EXPECT_EQ(policies("clerk", "SELECT * FROM of_reader"), Names{"public.r"});
  EXPECT_EQ(policies("clerk", "SELECT * FROM parts"), Names{"public.parts"});
  EXPECT_EQ(policies("clerk", "SELECT * FROM plain WHERE id IN (SELECT id FROM r)"),
            Names{"public.r"});
  EXPECT_EQ(policies("clerk", "SELECT * FROM of_owner"), Names{});
  EXPECT_EQ(error("clerk", "SELECT * FROM of_owner").message, "");
  EXPECT_NE(error("chief", "SELECT * FROM forced").message.find("\"forced\""), std::string::npos);
  EXPECT_EQ(error("chief", "SELECT * FROM owned").message, "");
}

TEST_F(DependencesTest, F03FunctionsInWhichPoliciesMayChooseAreNamed) {
  Run(std::string(kTables) + "GRANT SELECT ON t TO PUBLIC");
  const auto functions = [&](const std::string& select) {
    return Must(FindDependences(*Reader("typist", true), select, false)).opaque_functions;
  };
  using Names = std::vector<std::string>;
  Run("CREATE ROLE typist LOGIN");
  EXPECT_EQ(functions("SELECT soon() FROM t"), Names{}) << "no table has row security";
  Run("CREATE TABLE r AS SELECT 1 AS id; ALTER TABLE r ENABLE ROW LEVEL SECURITY;"
      "CREATE FUNCTION ids() RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT id FROM r'");
  EXPECT_EQ(functions("SELECT * FROM ids()"), Names{"ids()"});
  EXPECT_EQ(functions("SELECT twice(id), chance(), upper(s), random() FROM t WHERE at < soon()"),
            (Names{"chance()", "soon()"}));
  EXPECT_EQ(functions("SELECT query_to_xml('SELECT * FROM r', true, true, '')"),
            Names{"query_to_xml(text,boolean,boolean,text)"});
  Run("CREATE FUNCTION on_again() RETURNS SETOF int LANGUAGE sql STABLE SET row_security = true"
      " AS 'SELECT id FROM r'");
  EXPECT_EQ(Of("SELECT * FROM on_again()").switches_policies_on, "on_again()");
  EXPECT_EQ(Of("SELECT * FROM ids()").switches_policies_on, "");
}

TEST_F(DependencesTest, H5WhatNoSnapshotHoldsIsReadByOneSession) {
  Run(std::string(kTables) +
      "CREATE SEQUENCE q; CREATE VIEW through AS SELECT last_value AS v FROM q");
  for (const auto& [select, name] : std::vector<std::pair<std::string, std::string>>{
           {"SELECT t.id, q.last_value FROM t, q", "sequence q"},
           {"SELECT id FROM t WHERE id <= (SELECT last_value FROM q)", "sequence q"},
           {"SELECT id, v FROM t, through", "sequence q"},
           {"WITH w AS (SELECT is_called FROM q) SELECT * FROM t, w", "sequence q"},
           {"SELECT id FROM t WHERE s <> current_setting('lock_timeout')", "current_setting(text)"},
           {"SELECT id, setting FROM t, pg_settings", "pg_show_all_settings()"},
           {"SELECT id FROM t, pg_stat_activity", "pg_stat_get_activity(integer)"},
           {"SELECT id, n_live_tup FROM t, pg_stat_user_tables", "pg_stat_get_"},
           {"SELECT id FROM t WHERE has_table_privilege('t', 'SELECT')", "has_table_privilege"},
           {"SELECT pg_get_viewdef('through'::regclass) FROM t", "pg_get_viewdef"}}) {
    const Dependences found = Of(select);
    EXPECT_NE(found.session.find(name), std::string::npos) << select << ": " << found.session;
    EXPECT_NE(found.scan.find(name), std::string::npos) << select << ": " << found.scan;
  }
  // These are volatile: one session reads them, whichever it is.
  for (const char* select :
       {"SELECT * FROM pg_sequences, t", "SELECT id FROM t, pg_locks",
        "SELECT id, lastval() FROM t", "SELECT id, pg_relation_size('t') FROM t"})
    EXPECT_NE(Scan(select), "") << select;
  EXPECT_NE(Refusal({.query = "SELECT t.id, q.last_value FROM t, q"}, "id").find("sequence q"),
            std::string::npos);
}

TEST_F(DependencesTest, R22ForeignTablesAreReadByOneSession) {
  Run("CREATE TABLE t (a int);"
      "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;"
      "CREATE FOREIGN TABLE f (line text) SERVER files OPTIONS (filename '/dev/null');"
      "CREATE VIEW through AS SELECT * FROM f JOIN t ON true");
  EXPECT_NE(Of("SELECT * FROM f").session.find("foreign table f"), std::string::npos);
  EXPECT_NE(Of("SELECT * FROM through").session.find("foreign table f"), std::string::npos);
  EXPECT_EQ(Of("SELECT * FROM t").session, "");
  EXPECT_NE(Refusal({.query = "SELECT * FROM f"}, "line").find("foreign table f"),
            std::string::npos);
}

}  // namespace
}  // namespace spillway::postgres_source
