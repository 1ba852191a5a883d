-- What a log of version 4 is made of, which the first version with open data made: its migrations without
-- their comments. A file of what is out there, so never to be changed.
CREATE TABLE open_data_export_logs (
  sensor_nodes_id bigint NOT NULL,
  day date NOT NULL,
  records bigint NOT NULL DEFAULT 0,
  measurands bigint NOT NULL DEFAULT 0,
  added_on timestamptz NOT NULL DEFAULT clock_timestamp(),
  modified_on timestamptz NOT NULL DEFAULT clock_timestamp(),
  queued_on timestamptz,
  exported_on timestamptz,
  has_error boolean NOT NULL DEFAULT false,
  key text,
  version integer NOT NULL DEFAULT 0,
  checked_on timestamptz,
  metadata jsonb NOT NULL DEFAULT '{}',
  claim text,
  attempts integer NOT NULL DEFAULT 0,
  UNIQUE (sensor_nodes_id, day),
  CHECK (queued_on IS NULL OR claim IS NOT NULL)
);
CREATE INDEX open_data_export_logs_pending ON open_data_export_logs (day, sensor_nodes_id)
  WHERE exported_on IS NULL OR modified_on > exported_on;
CREATE INDEX open_data_export_logs_queued ON open_data_export_logs (claim)
  WHERE queued_on IS NOT NULL;
CREATE TABLE open_data_settings (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  day_bound text NOT NULL DEFAULT 'time_ending' CHECK (day_bound IN ('time_ending', 'time_beginning'))
);
INSERT INTO open_data_settings DEFAULT VALUES;
CREATE FUNCTION open_data_zone(zone text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
  PERFORM now() AT TIME ZONE zone;
  IF zone LIKE '%/%' OR upper(zone) IN ('UTC', 'GMT') THEN
    RETURN zone;
  END IF;
  RETURN (SELECT zone WHERE upper(zone) NOT IN (SELECT abbrev FROM pg_timezone_abbrevs));
EXCEPTION WHEN invalid_parameter_value THEN
  RETURN NULL;
END $$;
CREATE FUNCTION open_data_day(at timestamptz, zone text, ending boolean) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ((CASE WHEN ending THEN at - interval '1 microsecond' ELSE at END) AT TIME ZONE zone)::date
$$;
CREATE FUNCTION open_data_span(day date, zone text, ending boolean)
RETURNS TABLE (first timestamptz, last timestamptz, is_exact boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  WITH midnight AS (
    SELECT day::timestamp AS opens, (day + 1)::timestamp AS closes, interval '3 hours' AS margin
  ), instant AS (
    SELECT *, opens AT TIME ZONE zone AS opens_at, closes AT TIME ZONE zone AS closes_at FROM midnight
  ), looked AS (
    SELECT *,
      (opens_at - margin) AT TIME ZONE zone = opens - margin
        AND (opens_at + margin) AT TIME ZONE zone = opens + margin AS opens_plainly,
      (closes_at - margin) AT TIME ZONE zone = closes - margin
        AND (closes_at + margin) AT TIME ZONE zone = closes + margin AS closes_plainly
    FROM instant
  )
  SELECT
    opens_at - CASE WHEN opens_plainly THEN interval '0' ELSE margin END
      + CASE WHEN ending THEN interval '1 microsecond' ELSE interval '0' END,
    closes_at + CASE WHEN closes_plainly THEN interval '0' ELSE margin END
      - CASE WHEN ending THEN interval '0' ELSE interval '1 microsecond' END,
    opens_plainly AND closes_plainly
  FROM looked
$$;
CREATE FUNCTION open_data_is_complete(day date, zone text, ending boolean, at timestamptz)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT span.last < at FROM open_data_span(day, zone, ending) AS span
$$;
CREATE FUNCTION open_data_upsert(sensor_nodes_ids bigint[], days date[], added bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  INSERT INTO open_data_export_logs AS log (sensor_nodes_id, day, records)
  SELECT node, changed_day, sum(more)
  FROM unnest(sensor_nodes_ids, days, added) AS changed (node, changed_day, more)
  GROUP BY node, changed_day ORDER BY node, changed_day
  ON CONFLICT (sensor_nodes_id, day) DO UPDATE SET
    records = log.records + excluded.records,
    modified_on = greatest(clock_timestamp(), log.modified_on + interval '1 microsecond',
                           log.exported_on + interval '1 microsecond'),
    attempts = 0,
    has_error = false
$$;
CREATE FUNCTION open_data_track_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
DECLARE
  ending CONSTANT boolean := (SELECT day_bound = 'time_ending' FROM open_data_settings);
  nodes bigint[];
  days date[];
  added bigint[];
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    UPDATE open_data_export_logs SET
      records = 0, attempts = 0, has_error = false,
      modified_on = greatest(clock_timestamp(), modified_on + interval '1 microsecond',
                             exported_on + interval '1 microsecond')
    WHERE records <> 0;
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
CREATE FUNCTION open_data_count(sensors_ids bigint[], datetimes timestamptz[], ending boolean)
RETURNS TABLE (node bigint, day date, readings bigint)
LANGUAGE sql STABLE AS $$
  WITH reading AS MATERIALIZED (
    SELECT s.sensor_nodes_id AS node, coalesce(l.time_zone, '') AS time_zone, r.datetime
    FROM unnest(sensors_ids, datetimes) AS r (sensors_id, datetime)
    JOIN open_data_sensors s USING (sensors_id)
    JOIN open_data_locations l USING (sensor_nodes_id)
  ), zone AS MATERIALIZED (
    SELECT time_zone, coalesce(open_data_zone(time_zone), 'UTC') AS known
    FROM (SELECT DISTINCT time_zone FROM reading) AS met
  )
  SELECT node, open_data_day(datetime, known, ending), count(*)
  FROM reading JOIN zone USING (time_zone) GROUP BY 1, 2
$$;
CREATE FUNCTION open_data_track(readings regclass) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER open_data_came AFTER INSERT ON %s REFERENCING NEW TABLE AS came
                  FOR EACH STATEMENT EXECUTE FUNCTION @schema@.open_data_track_changes()', readings);
  EXECUTE format('CREATE TRIGGER open_data_went AFTER DELETE ON %s REFERENCING OLD TABLE AS went
                  FOR EACH STATEMENT EXECUTE FUNCTION @schema@.open_data_track_changes()', readings);
  EXECUTE format('CREATE TRIGGER open_data_changed AFTER UPDATE ON %s
                  REFERENCING OLD TABLE AS went NEW TABLE AS came
                  FOR EACH STATEMENT EXECUTE FUNCTION @schema@.open_data_track_changes()', readings);
  EXECUTE format('CREATE TRIGGER open_data_emptied AFTER TRUNCATE ON %s
                  FOR EACH STATEMENT EXECUTE FUNCTION @schema@.open_data_track_changes()', readings);
END $$;
CREATE FUNCTION open_data_recount() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
DECLARE
  bound CONSTANT text := (SELECT day_bound FROM open_data_settings);
  marked bigint;
BEGIN
  LOCK TABLE open_data_export_logs IN SHARE ROW EXCLUSIVE MODE;
  UPDATE open_data_export_logs SET attempts = 0 WHERE has_error;
  WITH location AS MATERIALIZED (
    SELECT sensor_nodes_id, coalesce(open_data_zone(time_zone), 'UTC') AS zone FROM open_data_locations
  ), counted AS (
    SELECT s.sensor_nodes_id, open_data_day(m.datetime, l.zone, bound = 'time_ending') AS day, count(*) AS records
    FROM open_data_measurements m
    JOIN open_data_sensors s USING (sensors_id)
    JOIN location l USING (sensor_nodes_id)
    GROUP BY 1, 2
  ), differing AS (
    SELECT sensor_nodes_id, day, coalesce(c.records, 0) - coalesce(log.records, 0) AS more
    FROM counted c FULL JOIN open_data_export_logs log USING (sensor_nodes_id, day)
    LEFT JOIN open_data_locations l USING (sensor_nodes_id)
    WHERE coalesce(c.records, 0) <> coalesce(log.records, 0)
      OR log.key IS NOT NULL AND (log.metadata->>'day_bound', log.metadata->>'time_zone')
                                 IS DISTINCT FROM (bound, l.time_zone::text)
  ), listed AS (
    SELECT array_agg(sensor_nodes_id) AS nodes, array_agg(day) AS days, array_agg(more) AS added,
           count(*) AS days_marked
    FROM differing
  )
  SELECT days_marked INTO marked
  FROM listed, LATERAL open_data_upsert(nodes, days, added);
  RETURN marked;
END $$;
CREATE FUNCTION open_data_is_over(node bigint, of_day date) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN of_day < (clock_timestamp() AT TIME ZONE 'UTC' - interval '15 hours')::date
    THEN true
    ELSE coalesce((
      SELECT open_data_is_complete(of_day, open_data_zone(l.time_zone),
                                   (SELECT day_bound = 'time_ending' FROM open_data_settings),
                                   clock_timestamp())
      FROM open_data_locations l WHERE l.sensor_nodes_id = node), true) END
$$;
CREATE FUNCTION open_data_is_pending(log open_data_export_logs, claimed_by text, abandoned interval,
                                     attempts_max integer, pause interval) RETURNS boolean
LANGUAGE sql VOLATILE AS $$
  SELECT (log.exported_on IS NULL OR log.modified_on > log.exported_on)
    AND (log.queued_on IS NULL OR log.queued_on < clock_timestamp() - abandoned
         OR log.claim = claimed_by)
    AND (log.attempts = 0 OR log.claim = claimed_by AND log.queued_on IS NOT NULL
         OR log.attempts < attempts_max AND log.checked_on < clock_timestamp() - pause)
    AND log.day < (clock_timestamp() AT TIME ZONE 'UTC' + interval '15 hours')::date
    AND open_data_is_over(log.sensor_nodes_id, log.day)
$$;
CREATE FUNCTION get_pending(wanted integer DEFAULT 500, claimed_by text DEFAULT session_user,
                            abandoned interval DEFAULT '1 hour', attempts_max integer DEFAULT 3,
                            pause interval DEFAULT '5 minutes',
                            untouched_since timestamptz DEFAULT 'infinity')
RETURNS TABLE (sensor_nodes_id bigint, day date)
LANGUAGE sql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  WITH candidate AS (
    SELECT log.sensor_nodes_id, log.day
    FROM open_data_export_logs log
    WHERE open_data_is_pending(log, claimed_by, abandoned, attempts_max, pause)
      AND (log.checked_on IS NULL OR log.checked_on < untouched_since)
    ORDER BY log.day, log.sensor_nodes_id
    LIMIT wanted
    FOR UPDATE SKIP LOCKED
  )
  UPDATE open_data_export_logs log
  SET queued_on = clock_timestamp(), claim = claimed_by
  FROM candidate
  WHERE log.sensor_nodes_id = candidate.sensor_nodes_id AND log.day = candidate.day
  RETURNING log.sensor_nodes_id, log.day
$$;
CREATE FUNCTION open_data_count_pending(wanted bigint, abandoned interval DEFAULT '1 hour',
                                        attempts_max integer DEFAULT 3,
                                        pause interval DEFAULT '5 minutes')
RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  SELECT count(*) FROM (
    SELECT FROM open_data_export_logs log
    WHERE open_data_is_pending(log, NULL, abandoned, attempts_max, pause)
    LIMIT wanted) AS pending
$$;
CREATE FUNCTION open_data_hold(claimed_by text, nodes bigint[], days date[],
                               abandoned interval DEFAULT '1 hour')
RETURNS TABLE (sensor_nodes_id bigint, day date)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp SET lock_timeout = '1min' AS $$
#variable_conflict use_column
BEGIN
  PERFORM open_data_lock(nodes, days);
  UPDATE open_data_export_logs log SET queued_on = clock_timestamp()
  FROM unnest(nodes, days) AS held (node, held_day)
  WHERE log.sensor_nodes_id = held.node AND log.day = held.held_day
    AND log.claim = claimed_by AND log.queued_on < clock_timestamp() - abandoned / 4;
  RETURN QUERY
    SELECT log.sensor_nodes_id, log.day
    FROM open_data_export_logs log JOIN unnest(nodes, days) AS held (node, held_day)
      ON log.sensor_nodes_id = held.node AND log.day = held.held_day
    WHERE log.claim = claimed_by AND log.queued_on IS NOT NULL;
END $$;
CREATE FUNCTION open_data_lock(nodes bigint[], days date[]) RETURNS void
LANGUAGE sql AS $$
  SELECT FROM open_data_export_logs log
  JOIN unnest(nodes, days) AS wanted (node, wanted_day)
    ON log.sensor_nodes_id = wanted.node AND log.day = wanted.wanted_day
  ORDER BY log.sensor_nodes_id, log.day
  FOR UPDATE OF log
$$;
CREATE FUNCTION open_data_exported(claimed_by text, nodes bigint[], days date[], seen timestamptz[],
                                   keys text[], measurands_exported bigint[], described jsonb[])
RETURNS TABLE (sensor_nodes_id bigint, day date)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp SET lock_timeout = '1min' AS $$
#variable_conflict use_column
BEGIN
  PERFORM open_data_lock(nodes, days);
  UPDATE open_data_export_logs log
  SET modified_on = greatest(clock_timestamp(), log.modified_on + interval '1 microsecond',
                             log.exported_on + interval '1 microsecond')
  FROM unnest(nodes, days) AS done (node, done_day)
  WHERE log.sensor_nodes_id = done.node AND log.day = done.done_day
    AND (log.claim IS DISTINCT FROM claimed_by OR log.queued_on IS NULL);
  RETURN QUERY
    UPDATE open_data_export_logs log
    SET exported_on = CASE WHEN log.modified_on = done.seen
                           THEN greatest(clock_timestamp(), log.modified_on) ELSE done.seen END,
        queued_on = NULL, checked_on = clock_timestamp(), has_error = false, attempts = 0,
        version = log.version + 1, key = nullif(done.key, ''), measurands = done.measurands,
        metadata = done.described
    FROM unnest(nodes, days, seen, keys, measurands_exported, described)
      AS done (node, done_day, seen, key, measurands, described)
    WHERE log.sensor_nodes_id = done.node AND log.day = done.done_day
      AND log.claim = claimed_by AND log.queued_on IS NOT NULL
    RETURNING log.sensor_nodes_id, log.day;
END $$;
CREATE FUNCTION open_data_failed(claimed_by text, nodes bigint[], days date[],
                                 classifications text[], errors text[])
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp SET lock_timeout = '1min' AS $$
BEGIN
  PERFORM open_data_lock(nodes, days);
  UPDATE open_data_export_logs log
  SET queued_on = NULL, checked_on = clock_timestamp(), has_error = true,
      attempts = log.attempts + 1,
      metadata = log.metadata || jsonb_build_object('error', failed.error,
                                                    'classification', failed.classification)
  FROM unnest(nodes, days, classifications, errors)
    AS failed (node, failed_day, classification, error)
  WHERE log.sensor_nodes_id = failed.node AND log.day = failed.failed_day
    AND log.claim = claimed_by AND log.queued_on IS NOT NULL;
END $$;
CREATE FUNCTION open_data_release(claimed_by text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  WITH free AS (
    SELECT log.sensor_nodes_id, log.day FROM open_data_export_logs log
    WHERE log.claim = claimed_by AND log.queued_on IS NOT NULL
    FOR UPDATE SKIP LOCKED
  ), released AS (
    UPDATE open_data_export_logs log SET queued_on = NULL FROM free
    WHERE log.sensor_nodes_id = free.sensor_nodes_id AND log.day = free.day RETURNING 1)
  SELECT count(*) FROM released
$$;
CREATE FUNCTION open_data_done(claimed_by text, since timestamptz)
RETURNS TABLE (sensor_nodes_id bigint, day date, key text, described jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  SELECT log.sensor_nodes_id, log.day, log.key, log.metadata FROM open_data_export_logs log
  WHERE log.claim = claimed_by AND log.queued_on IS NULL AND log.checked_on >= since
    AND (log.metadata->>'job' = claimed_by OR log.metadata ? 'error')
$$;
CREATE VIEW open_data_states AS
  SELECT log.*,
    CASE WHEN queued_on IS NOT NULL THEN 'queued'
         WHEN exported_on >= modified_on THEN 'exported'
         WHEN has_error THEN 'failed'
         WHEN open_data_is_over(sensor_nodes_id, day) THEN 'pending'
         ELSE 'open' END AS state
  FROM open_data_export_logs log;
CREATE VIEW open_data_summary AS
  SELECT state, count(*) AS days, sum(records) AS records,
         min(coalesce(queued_on, modified_on)) FILTER (WHERE state <> 'exported') AS since
  FROM open_data_states GROUP BY state;
REVOKE EXECUTE ON FUNCTION
  open_data_upsert, open_data_recount, get_pending, open_data_count_pending, open_data_hold,
  open_data_exported, open_data_failed, open_data_release, open_data_done, open_data_track
FROM PUBLIC;
