#!/usr/bin/env python3
"""Queries of every kind, exported and held against what PostgreSQL's own COPY writes for them."""
import base64
import concurrent.futures
import csv
import io
import json
import queue
import re
import shutil
import unittest

from deployment import Deployment
from postgres import PostgresServer

NULL = "<null>"
TABLES = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN short AS text CHECK (length(value) < 20);
CREATE TYPE pair AS (a int, b text);
CREATE TABLE item AS SELECT i AS id, i % 7 AS grp, 'it''s "' || i || '", ü' || chr(10) AS "Odd ""Name", (i * 1.37)::numeric(10,2) AS price,
  CASE i % 3 WHEN 0 THEN 'sad'::mood WHEN 1 THEN 'glad' END AS m, (i || ' short')::short AS d, ROW(i, 'b,' || i)::pair AS p,
  ARRAY['x' || i, NULL, 'a "q"'] AS tags, jsonb_build_object('n', i, 'list', jsonb_build_array(i, 'two', NULL)) AS doc,
  int4range(i, i + 5) AS span, '2025-03-30Z'::timestamptz + i * '17 min 0.25 s'::interval AS at, date '2025-01-01' + i AS day,
  i * '1 mon 2 days 03:04:05'::interval AS wait, (i * 1.5)::numeric::money AS cost, decode(md5(i::text), 'hex') AS raw,
  xmlelement(name a, i) AS x, CASE WHEN i % 5 > 0 THEN '' END AS blank, i % 2 = 0 AS even FROM generate_series(1, 500) AS i;
ALTER TABLE item ADD PRIMARY KEY (id);
CREATE TABLE parted (id int, region text, at timestamptz) PARTITION BY LIST (region);
CREATE TABLE parted_north PARTITION OF parted FOR VALUES IN ('north');
CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
INSERT INTO parted SELECT i, CASE i % 3 WHEN 0 THEN 'north' WHEN 1 THEN 'south' END, now() - i * '1 day'::interval
  FROM generate_series(1, 300) AS i;
CREATE VIEW cheap AS SELECT id, price FROM item WHERE price < 100;
CREATE VIEW recent AS SELECT id, at > now() - '10 days'::interval AS new FROM parted;
CREATE MATERIALIZED VIEW kept AS SELECT grp, count(*) AS n FROM item GROUP BY grp;
CREATE SEQUENCE numbers START 7;
CREATE TABLE big AS SELECT i AS id, i % 50 AS k, md5(i::text) AS note FROM generate_series(1, 450000) AS i;
ALTER TABLE big ADD PRIMARY KEY (id);
CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
ANALYZE;
"""

QUERIES = {
    "join": "SELECT i.id, k.n FROM item AS i JOIN kept AS k USING (grp) LEFT JOIN parted AS p ON p.id = i.id AND p.region = 'north'",
    "full-join": "SELECT a.id, b.id AS other FROM item AS a FULL JOIN parted AS b ON a.id = b.id * 2",
    "with": "WITH a AS MATERIALIZED (SELECT id, price FROM item), b AS (SELECT max(price) AS top FROM a) SELECT * FROM a, b WHERE price < top",
    "recursive": "WITH RECURSIVE t(n, path) AS (SELECT 1, ARRAY[1] UNION ALL SELECT n + 1, path || n FROM t WHERE n < 20) SELECT * FROM t",
    "window": "SELECT id, row_number() OVER w, sum(price) OVER w, lag(id) OVER w FROM item WINDOW w AS (PARTITION BY grp ORDER BY id)",
    "distinct-on": "SELECT DISTINCT ON (grp) grp, id FROM item ORDER BY grp, id DESC",
    "limit": "SELECT id FROM item ORDER BY id DESC LIMIT 10 OFFSET 3",
    "fetch": "SELECT grp, id FROM item ORDER BY grp FETCH FIRST 1 ROW WITH TIES",
    "sets": "(SELECT id FROM item UNION SELECT id FROM parted) EXCEPT SELECT grp FROM item INTERSECT SELECT 3",
    "lateral": "SELECT i.id, l.* FROM item AS i, LATERAL (SELECT p.id AS near FROM parted AS p WHERE p.id > i.id ORDER BY p.id LIMIT 2) AS l",
    "json": "SELECT id, doc, doc -> 'list' ->> 1 AS two, doc @> '{\"n\": 3}' AS is_three, to_json(tags) AS j FROM item",
    "arrays": "SELECT id, tags, tags[1 : 2] AS two, unnest(tags) AS tag, array_length(tags, 1) AS n FROM item",
    "series": "SELECT g, g::date AS day FROM generate_series('2025-03-29'::timestamptz, '2025-04-02', '7 hours') AS g",
    "ordinality": "SELECT * FROM unnest(ARRAY['b', NULL, 'a']) WITH ORDINALITY AS u(word, place)",
    "view": {"table": "cheap"},
    "time-view": {"table": "recent"},
    "materialized": {"table": "kept"},
    "partitions": {"table": "parted", "columns": ["id", "region"]},
    "one-partition": {"table": "parted_north", "columns": ["id", "region"]},
    "foreign": {"table": "lines"},
    "foreign-join": "SELECT l.word, i.id FROM lines AS l JOIN item AS i ON i.id = l.n",
    "sequence": "SELECT last_value, is_called FROM numbers",
    "sample": "SELECT id FROM item TABLESAMPLE bernoulli (30) REPEATABLE (4)",
    "correlated": "SELECT id, (SELECT count(*) FROM item AS j WHERE j.grp = i.grp AND j.id < i.id) AS before FROM item AS i",
    "exists": "SELECT id FROM item AS i WHERE NOT EXISTS (SELECT FROM parted AS p WHERE p.id = i.id) AND id = ANY (ARRAY[1, 400, 401])",
    "grouping-sets": "SELECT grp, even, grouping(grp, even) AS g, count(*), avg(price) FROM item GROUP BY GROUPING SETS ((grp), (even), ()), ROLLUP (m)",
    "aggregates": "SELECT grp, string_agg(d, ',' ORDER BY id) AS s, array_agg(id ORDER BY id) FILTER (WHERE even) AS a,"
                  " percentile_cont(0.5) WITHIN GROUP (ORDER BY id) AS median, bool_or(even) FROM item GROUP BY 1 HAVING count(*) > 3",
    "times": "SELECT id, CURRENT_DATE - CURRENT_DATE + id AS same, CASE WHEN now() > at THEN 'past' ELSE (now() - now())::text END AS c,"
             " extract(year FROM now()) > 2000 AS y FROM item WHERE at < CURRENT_TIMESTAMP + '1 day' ORDER BY now(), LOCALTIME, id",
    "times-inside": "SELECT v.a, v.t = now() AS same FROM (VALUES (1, now()), (2, CURRENT_TIMESTAMP(6))) AS v(a, t)"
                    " WHERE v.t BETWEEN 'yesterday' AND 'tomorrow'::timestamptz AND 'now'::date = CURRENT_DATE",
    "times-grouped": "SELECT now() - now() AS zero, count(*) FROM item GROUP BY now() - now()",
    "text-search": "SELECT id, to_tsvector('english', d || ' running shorts') AS v, ts_rank(to_tsvector('english', d), to_tsquery('short')) AS r FROM item"
                   " WHERE to_tsvector('english', d) @@ plainto_tsquery('english', 'shorts')",
    "ranges": "SELECT id, span, lower(span), span * int4range(3, 9) AS cut, range_agg(span) OVER () AS whole FROM item WHERE span @> 7",
    "types": "SELECT id, m, d, p, (p).b, wait, cost, raw, x, at, day, blank, even, price, NULL AS nothing, 1.5::float8 AS f, -0.1::real AS r,"
             " '1.2.3.4/24'::inet AS i, B'101' AS bits, '\\x00ff'::bytea AS b, time '12:34:56.7' AS t, gen_random_uuid() IS NULL AS u FROM item",
    "values": "VALUES (1, 'one'), (2, NULL), (3, 'a;b')",
    "table": "TABLE kept",
    "brackets": "((SELECT id FROM item WHERE id < 4) UNION ALL (SELECT 5))",
    "comment": "SELECT id /* ; :none /* nested */ */ FROM item WHERE id < 9 -- the end; :nothing",
    "semicolon": "SELECT id FROM item WHERE id < 9 ; -- after it\n /* and more */ ",
    "quotes": 'SELECT "Odd ""Name" AS "A; "" name", U&"\\0069d" FROM item AS "i t" WHERE "i t".id < 20',
    "dollars": "SELECT $$it's :n $x$ $$ AS a, $q$;'$q$ AS b, E'tab\\t\\'' AS c, 'a' ':b' AS d, U&'\\00fc' AS e".replace("'a' ':b'", "'a'\n ':b'"),
    "casts": "SELECT id::text::int::numeric(12,3) AS n, CAST(id AS char(5)) AS c, (65 + id % 20)::\"char\" AS \"char\", 'item'::regclass AS r FROM item",
    "operators": "SELECT id, id OPERATOR(pg_catalog.+) 1 AS next, id IS DISTINCT FROM 3 AS other, id BETWEEN SYMMETRIC 9 AND 3 AS mid,"
                 " d LIKE '1%!%' ESCAPE '!' AS l, d SIMILAR TO '(1|2)%' AS s, (id, grp) < (9, 2) AS row FROM item",
    "xmltable": "SELECT i.id, t.* FROM item AS i, XMLTABLE('/a' PASSING i.x COLUMNS n int PATH '.', o FOR ORDINALITY) AS t",
    "parameters": "SELECT :a::text AS a, :b::date AS b, id FROM item WHERE id = ANY (:ids) AND d <> :a",
    "split-table": {"table": "big"},
    "split-column": {"table": "big", "split_by": "id"},
    "split-query": {"query": "SELECT b.id, i.d, now() IS NULL AS no FROM big AS b JOIN item AS i ON i.id = b.k", "split_by": "id", "key": ["id"]},
    "split-groups": {"query": "SELECT id / 2 AS half, count(*) AS n, min(note) AS least FROM big GROUP BY 1", "split_by": "half"},
}
PARAMETERS = {"a": "it's", "b": "2025-02-01", "ids": "{3,4,500}"}
SPLITS = {"split-table": 3, "split-column": 2, "split-query": 2, "split-groups": 2}


SPELLED_OTHERWISE = ("boolean", "bytea", "money", "time", "real", "double")


def as_exported(kind, text):
    """What COPY writes for a value of a type, as docs/formats.md and docs/query-export.md spell it."""
    if kind == "boolean":
        return {"t": "true", "f": "false"}[text]
    if kind == "bytea":
        return base64.b64encode(bytes.fromhex(text[2:])).decode()
    if kind == "money":
        return text.replace("$", "").replace(",", "")
    if kind.startswith("time"):
        clock, _, fraction = text.replace(" ", "T").removesuffix("+00").partition(".")
        return f"{clock}.{fraction:0<6}" + ("Z" if kind == "timestamp with time zone" else "")
    if kind in ("real", "double precision") and re.fullmatch(r"-?\d+", text):
        return text + ".0"
    return text


class QueryVarietyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = PostgresServer()
        cls.server.sql(TABLES)
        (cls.server.folder / "lines.csv").write_text("1,one\n2,two\n7,\n")
        cls.server.sql(f"CREATE FOREIGN TABLE lines (n int, word text) SERVER files OPTIONS (filename '{cls.server.folder}/lines.csv', format 'csv')")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        shutil.rmtree(cls.server.folder, ignore_errors=True)

    def deployment(self, exports):
        spillway = Deployment(json.dumps({"databases": {"shop": {"url": self.server.url()}}, "engine": {"threads": 3}, "exports": {
            name: {"recipe": "query_export", "database": "shop", "csv": {"null_marker": NULL}, **block} for name, block in exports.items()}}))
        self.addCleanup(spillway.close)
        return spillway

    def copied(self, block, kinds):
        """The sorted rows that COPY writes."""
        query = block.get("query", f"SELECT {', '.join(block.get('columns', '*'))} FROM {block.get('table')}").split(" ; -- ")[0]
        if ":ids" in query:
            for name, value in PARAMETERS.items():
                literal = "'" + value.replace("'", "''") + "'"
                query = re.sub(rf"(?<!:):{name}\b", literal, query)
        done = self.server.sql("SET TimeZone = 'UTC'; SET IntervalStyle = 'iso_8601'; SET lc_monetary = 'C';"
                               f"COPY (\n{query}\n) TO STDOUT (FORMAT csv, NULL '{NULL}')")
        rows = list(csv.reader(io.StringIO("\n".join("\t".join(line) for line in done), newline="")))
        for place, kind in enumerate(kinds):
            for row in rows if kind.startswith(SPELLED_OTHERWISE) else ():
                row[place] = row[place] if row[place] == NULL else as_exported(kind, row[place])
        return sorted(rows)

    def test_what_is_exported_is_what_copy_writes(self):
        exports = {name: block if isinstance(block, dict) else {"query": block} for name, block in QUERIES.items()}
        parameters = {"parameters": [f"--param={key}={value}" for key, value in PARAMETERS.items()]}
        idle = queue.SimpleQueue()
        for _ in range(4):
            idle.put(self.deployment(exports))

        def run(name):
            spillway = idle.get()
            try:
                job = spillway.json("run", name, *parameters.get(name, []))
                return job, spillway.path / job["directory"]
            finally:
                idle.put(spillway)

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            jobs = {name: pool.submit(run, name) for name in exports}
        for name, block in exports.items():
            with self.subTest(name):
                job, directory = jobs[name].result()
                self.assertEqual(job["state"], "succeeded", job)
                source = json.loads((directory / "manifest.json").read_text())["source"]
                text = (directory / f"{name}.csv").read_bytes().decode()
                header, *rows = csv.reader(io.StringIO(text, newline=""))
                self.assertEqual(header, [column["name"] for column in source["columns"]])
                self.assertEqual(source["splits"], SPLITS.get(name, 1))
                self.assertEqual(sorted(rows), self.copied(block, [column["type"] for column in source["columns"]]))
                self.assertGreater(len(rows), 0)

    def test_what_cannot_be_exported_is_refused_in_one_line(self):
        queries = {"update": ("SELECT id FROM item FOR UPDATE", "exports only read"), "into": ("SELECT 1 AS a INTO made", "INTO is not allowed here"),
                   "two": ("SELECT 1; SELECT 2", "more than one statement"), "writes": ("WITH w AS (DELETE FROM item RETURNING id) SELECT * FROM w", "WITH"),
                   "next": ("SELECT nextval('numbers')", "exports only read"), "empty": ("", "give one"), "nothing": ("SELECT FROM item", "no columns")}
        for name, (query, words) in queries.items():
            with self.subTest(name):
                answer = self.deployment({name: {"query": query}}).call("run", name)
                self.assertNotEqual(answer.code, 0)
                self.assertIn(words, answer.err)
                self.assertEqual(answer.err.count("\n"), 1, answer.err)


if __name__ == "__main__":
    unittest.main()
