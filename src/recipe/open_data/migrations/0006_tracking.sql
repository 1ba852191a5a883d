-- Which readings changed, noted by triggers on the tables that hold them.

-- A table and all that inherit from it: partitions, partitions of partitions, children.
CREATE FUNCTION open_data_family(readings regclass) RETURNS SETOF regclass
LANGUAGE sql STABLE AS $$
  WITH RECURSIVE member AS (
    SELECT readings::oid AS id
    UNION
    SELECT inhrelid FROM member JOIN pg_inherits ON inhparent = member.id
  )
  SELECT id::regclass FROM member
$$;

-- Of a TRUNCATE that is about to happen: the table and those below it that have no such trigger of their
-- own, down to the next that have. So where a table and all below it are truncated, each is counted by one
-- trigger. TRUNCATE locks what it will empty before any trigger runs; TRUNCATE ONLY does not lock children.
CREATE FUNCTION open_data_counted_with(truncated regclass, trigger_name name) RETURNS SETOF regclass
LANGUAGE sql STABLE AS $$
  WITH RECURSIVE member AS (
    SELECT truncated::oid AS id
    UNION
    SELECT inhrelid FROM member JOIN pg_inherits ON inhparent = member.id
    WHERE NOT EXISTS (SELECT FROM pg_trigger
                      WHERE tgrelid = inhrelid AND tgname = trigger_name AND tgenabled IN ('O', 'A'))
      AND EXISTS (SELECT FROM pg_locks
                  WHERE pid = pg_backend_pid() AND relation = inhrelid AND mode = 'AccessExclusiveLock')
  )
  SELECT id::regclass FROM member
$$;

-- Statement by statement, from the rows that came and went. Before a TRUNCATE the rows that are about
-- to go are counted: of the table alone, for each partition has a trigger of its own, or, if it was
-- made since the table was tracked, is counted with the nearest table above it that has one.
CREATE OR REPLACE FUNCTION open_data_track_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
DECLARE
  ending CONSTANT boolean := (SELECT day_bound = 'time_ending' FROM open_data_settings);
  emptied regclass;
  nodes bigint[];
  days date[];
  added bigint[];
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    FOR emptied IN
      SELECT member FROM open_data_counted_with(TG_RELID, TG_NAME) AS member
    LOOP
      EXECUTE format(
        'SELECT array_agg(gone.node), array_agg(gone.day), array_agg(-gone.readings) FROM (
           SELECT h.sensor_nodes_id AS node, open_data_day(r.datetime, h.zone, $1) AS day, count(*) AS readings
           FROM ONLY %s r JOIN open_data_homes(NULL) h ON h.sensors_id = r.sensors_id
           WHERE isfinite(r.datetime) GROUP BY 1, 2) AS gone', emptied)
        INTO nodes, days, added USING ending;
      IF nodes IS NOT NULL THEN
        PERFORM open_data_upsert(nodes, days, added);
      END IF;
    END LOOP;
    RETURN NULL;
  ELSIF TG_OP = 'INSERT' THEN
    SELECT array_agg(c.node), array_agg(c.day), array_agg(c.readings) INTO nodes, days, added
    FROM open_data_count(ARRAY(SELECT sensors_id FROM came), ARRAY(SELECT datetime FROM came), ending) c;
  ELSIF TG_OP = 'DELETE' THEN
    SELECT array_agg(c.node), array_agg(c.day), array_agg(-c.readings) INTO nodes, days, added
    FROM open_data_count(ARRAY(SELECT sensors_id FROM went), ARRAY(SELECT datetime FROM went), ending) c;
  ELSE
    SELECT array_agg(c.node), array_agg(c.day), array_agg(c.readings) INTO nodes, days, added
    FROM (
      SELECT * FROM open_data_count(ARRAY(SELECT sensors_id FROM came), ARRAY(SELECT datetime FROM came), ending)
      UNION ALL
      SELECT node, day, -readings
      FROM open_data_count(ARRAY(SELECT sensors_id FROM went), ARRAY(SELECT datetime FROM went), ending)
    ) c;
  END IF;
  IF nodes IS NOT NULL THEN
    PERFORM open_data_upsert(nodes, days, added);
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION open_data_is_hypertable(readings regclass) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
  catalog text;
  is_one boolean;
BEGIN
  IF to_regclass('_timescaledb_catalog.hypertable') IS NOT NULL THEN
    catalog := '_timescaledb_catalog.hypertable WHERE schema_name = n.nspname AND table_name = c.relname';
  ELSIF to_regclass('timescaledb_information.hypertables') IS NOT NULL THEN
    catalog := 'timescaledb_information.hypertables WHERE hypertable_schema = n.nspname AND hypertable_name = c.relname';
  ELSE
    RETURN false;
  END IF;
  EXECUTE 'SELECT EXISTS (SELECT FROM ' || catalog || ') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.oid = $1' INTO is_one USING readings;
  RETURN is_one;
END $$;

-- Refuses a table whose changes the triggers could not follow, in one line that says what to do. A
-- TimescaleDB before 2.18 takes triggers with transition tables on a hypertable, and then rejects the
-- INSERT that makes its next chunk.
CREATE FUNCTION open_data_check_trackable(readings regclass) RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
  instead CONSTANT text := format('let its ingest call %s in its transaction (docs/open-data.md)',
                                  '@schema@.open_data_changed(sensors_ids, datetimes, sign)');
  timescale CONSTANT text := (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb');
  parent regclass;
  wrong text;
BEGIN
  IF (SELECT relkind NOT IN ('r', 'p') FROM pg_class WHERE oid = readings) THEN
    RAISE EXCEPTION '% is no table: track the table that holds its readings, or %', readings, instead
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT inhparent::regclass INTO parent FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhrelid = readings AND relispartition;
  IF parent IS NOT NULL THEN
    RAISE EXCEPTION '% is a partition: track %, and its partitions are tracked with it', readings, parent
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT string_agg(format('%s %s', wanted.name, coalesce('is of type ' || format_type(a.atttypid, a.atttypmod),
                                                          'is not there')), ', ')
    INTO wrong
  FROM (VALUES ('sensors_id', '{int2,int4,int8}'::regtype[]), ('datetime', '{timestamptz}')) AS wanted (name, types)
  LEFT JOIN pg_attribute a ON a.attrelid = readings AND a.attname = wanted.name AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_type t ON t.oid = a.atttypid
  WHERE NOT coalesce(coalesce(nullif(t.typbasetype, 0), t.oid) = ANY (wanted.types::oid[]), false);
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION '% cannot be tracked, for it needs the columns sensors_id (an integer) and datetime (timestamp with time zone): %; track the table of readings, or %',
      readings, wrong, instead USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF @schema@.open_data_is_hypertable(readings)
    AND coalesce(string_to_array(substring(timescale FROM '^\d+\.\d+'), '.')::int[] < ARRAY[2, 18], true) THEN
    RAISE EXCEPTION '% is a hypertable of a TimescaleDB before 2.18, which takes the triggers and then rejects INSERTs: update TimescaleDB, or %',
      readings, instead USING ERRCODE = 'feature_not_supported';
  END IF;
END $$;

-- Reads the views with a search_path that has the log's schema alone, as triggers do, and recounts, which
-- alone read open_data_measurements. Where something is not found so, refuses in one line that says what
-- to do: an INSERT, or a recount, would fail, too. It can be seen only where the view has a row.
CREATE FUNCTION open_data_check_views() RETURNS void
LANGUAGE plpgsql SET search_path = @schema@, pg_temp AS $$
DECLARE
  viewed text;
  context text;
BEGIN
  FOREACH viewed IN ARRAY '{open_data_locations,open_data_sensors,open_data_measurements}'::text[] LOOP
    IF to_regclass(viewed) IS NOT NULL THEN
      EXECUTE format('SELECT count(row::text) FROM (SELECT * FROM %I %s) AS row', viewed,
                     CASE WHEN viewed = 'open_data_measurements' THEN 'LIMIT 1' END);
    END IF;
  END LOOP;
EXCEPTION
WHEN insufficient_privilege THEN
  RAISE;
WHEN syntax_error_or_access_rule_violation THEN  -- All of class 42.
  GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
  RAISE EXCEPTION '@schema@.% cannot be read with search_path = @schema@, as % it: %; let the functions that it calls find what they name: ALTER FUNCTION %(...) SET search_path = public',
    viewed, CASE viewed WHEN 'open_data_measurements' THEN 'recounts read' ELSE 'triggers read' END, SQLERRM, coalesce(substring(context FROM 'function "?([^ "(]+)'), '...') USING ERRCODE = 'invalid_parameter_value';
END $$;

-- Tracks the changes of a table and its partitions from now on. Triggers that somebody has disabled are
-- enabled. What is tracked already stays as it is, so that partitions that were added since get their
-- triggers without a lock on the others. Readings that a table has already: a recount.
CREATE OR REPLACE FUNCTION open_data_track(readings regclass) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  ours CONSTANT regprocedure := '@schema@.open_data_track_changes()';
  before CONSTANT int := 2;  -- Of pg_trigger.tgtype.
  member regclass;
  wanted record;
  found_function oid;
  found_type int;
  found_enabled "char";
BEGIN
  PERFORM @schema@.open_data_check_trackable(readings);
  PERFORM @schema@.open_data_check_views();
  FOR member IN
    SELECT f FROM @schema@.open_data_family(readings) AS f JOIN pg_class c ON c.oid = f
    WHERE c.relkind IN ('r', 'p')
      -- The chunks of a hypertable take no such trigger; the hypertable's sees their rows.
      AND (f = readings OR NOT @schema@.open_data_is_hypertable(readings))
  LOOP
    FOR wanted IN
      VALUES ('open_data_came', 'AFTER INSERT', 'REFERENCING NEW TABLE AS came'),
             ('open_data_went', 'AFTER DELETE', 'REFERENCING OLD TABLE AS went'),
             ('open_data_changed', 'AFTER UPDATE', 'REFERENCING OLD TABLE AS went NEW TABLE AS came'),
             ('open_data_emptied', 'BEFORE TRUNCATE', '')
    LOOP
      SELECT tgfoid, tgtype, tgenabled INTO found_function, found_type, found_enabled FROM pg_trigger
        WHERE tgrelid = member AND tgname = wanted.column1;
      IF FOUND AND found_function <> ours THEN
        RAISE EXCEPTION '% is tracked for another export log, by %; run `spillway open-data migrate --untrack` for that log first',
          member, found_function::regprocedure USING ERRCODE = 'invalid_parameter_value';
      ELSIF FOUND AND (found_type & before = before) = (wanted.column2 LIKE 'BEFORE%') THEN
        IF found_enabled NOT IN ('O', 'A') THEN
          EXECUTE format('ALTER TABLE %s ENABLE TRIGGER %I', member, wanted.column1);
        END IF;
        CONTINUE;
      ELSIF FOUND THEN
        EXECUTE format('DROP TRIGGER %I ON %s', wanted.column1, member);
      END IF;
      EXECUTE format('CREATE TRIGGER %I %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION @schema@.open_data_track_changes()',
                     wanted.column1, wanted.column2, member, wanted.column3);
    END LOOP;
  END LOOP;
END $$;

-- Follows a table's changes no longer. Returns whether it did.
CREATE FUNCTION open_data_untrack(readings regclass) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  tracked record;
  was_tracked boolean := false;
BEGIN
  FOR tracked IN
    SELECT tgname, tgrelid::regclass AS member FROM pg_trigger
    WHERE tgrelid IN (SELECT f FROM @schema@.open_data_family(readings) AS f)
      AND tgfoid = '@schema@.open_data_track_changes()'::regprocedure
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', tracked.tgname, tracked.member);
    was_tracked := true;
  END LOOP;
  RETURN was_tracked;
END $$;

-- The tables that are tracked, without their partitions.
CREATE FUNCTION open_data_tracked() RETURNS SETOF regclass
LANGUAGE sql STABLE AS $$
  SELECT DISTINCT tgrelid::regclass FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
  WHERE tgfoid = '@schema@.open_data_track_changes()'::regprocedure AND NOT relispartition
$$;

REVOKE EXECUTE ON FUNCTION open_data_track(regclass), open_data_untrack(regclass) FROM PUBLIC;

-- Tables that an earlier version tracked, whose partitions it did not.
SELECT open_data_track(readings) FROM open_data_tracked() AS readings;
