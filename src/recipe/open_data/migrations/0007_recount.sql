-- What state days are in, and how their files compare with what the database has now.

-- How long a day is left alone once it is over. It stands here, like the bound of days, so that every
-- exporter and every view of the log sees the same; `spillway open-data migrate` puts it into force.
ALTER TABLE open_data_settings
  ADD COLUMN settle interval NOT NULL DEFAULT '0' CHECK (settle >= interval '0');

-- Whether no reading of the day is still to be made.
CREATE OR REPLACE FUNCTION open_data_is_complete(day date, zone text, ending boolean, at timestamptz)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT span.last < at FROM @schema@.open_data_span(day, zone, ending) AS span
$$;

-- Whether a day has been over where its location is, for as long as days settle. What is further from the
-- end of the day than any zone is from UTC needs no look at the zone. Where the zone is none, a day counts
-- as over, so that its export says what is wrong.
CREATE OR REPLACE FUNCTION open_data_is_over(node bigint, of_day date) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT CASE
    WHEN of_day < ((clock_timestamp() - s.settle) AT TIME ZONE 'UTC' - interval '15 hours')::date THEN true
    WHEN of_day >= ((clock_timestamp() - s.settle) AT TIME ZONE 'UTC' + interval '15 hours')::date THEN false
    ELSE coalesce((
      SELECT bool_and(@schema@.open_data_is_complete(of_day, @schema@.open_data_zone(l.time_zone),
                        s.day_bound = 'time_ending', clock_timestamp() - s.settle))
      FROM @schema@.open_data_locations l WHERE l.sensor_nodes_id = node), true) END
  FROM @schema@.open_data_settings s
$$;

-- What state every location and day is in.
CREATE OR REPLACE VIEW open_data_states AS
  SELECT log.*,
    CASE WHEN queued_on IS NOT NULL THEN 'queued'
         WHEN exported_on >= modified_on THEN 'exported'
         WHEN has_error THEN 'failed'
         WHEN open_data_is_over(sensor_nodes_id, day) THEN 'pending'
         ELSE 'open' END AS state
  FROM open_data_export_logs log;

-- How many there are of each, and how long the oldest has waited.
CREATE OR REPLACE VIEW open_data_summary AS
  SELECT state, count(*) AS days, sum(records) AS records,
         min(coalesce(queued_on, modified_on)) FILTER (WHERE state <> 'exported') AS since
  FROM open_data_states GROUP BY state;

-- What a file is made of besides its readings' times and values. An exporter records, and a recount
-- compares, the SHA-256 of the location's line followed, for each sensor that has readings that day, in
-- the order of their numbers, by a line feed, the sensor's line, a space and how many readings it has.
CREATE FUNCTION open_data_location_line(location text, lat float8, lon float8, time_zone text, day_bound text)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE SET extra_float_digits = 1 AS $$
  SELECT jsonb_build_array(location, lat, lon, time_zone, day_bound)::text
$$;
CREATE FUNCTION open_data_sensor_line(sensors_id bigint, location text, parameter text, units text)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT jsonb_build_array(sensors_id, location, parameter, units)::text
$$;

-- The days of these locations (null: of all) whose readings are not as many as the log says, and those
-- whose file was made of something else, or in other formats (null: in whichever). `seen` is the log's
-- modified_on in the snapshot in which they were counted; null: it has no row of that day.
CREATE FUNCTION open_data_compare(locations bigint[], formats text)
RETURNS TABLE (node bigint, day date, records bigint, seen timestamptz)
LANGUAGE sql STABLE AS $$
  WITH bound AS MATERIALIZED (
    SELECT day_bound, day_bound = 'time_ending' AS ending FROM @schema@.open_data_settings
  ), location AS MATERIALIZED (
    SELECT DISTINCT ON (l.sensor_nodes_id) l.sensor_nodes_id, l.time_zone::text,
      @schema@.open_data_location_line(l.location::text, l.lat::float8, l.lon::float8, l.time_zone::text, day_bound) AS line
    FROM @schema@.open_data_locations l CROSS JOIN bound
    WHERE locations IS NULL OR l.sensor_nodes_id = ANY (locations)
    ORDER BY l.sensor_nodes_id, l.time_zone::text
  ), known AS MATERIALIZED (
    SELECT time_zone, coalesce(@schema@.open_data_zone(time_zone), 'UTC') AS zone
    FROM (SELECT DISTINCT time_zone FROM location) AS met
  ), sensor AS MATERIALIZED (
    SELECT DISTINCT ON (s.sensors_id, s.sensor_nodes_id) s.sensors_id, s.sensor_nodes_id::bigint,
      location.time_zone, known.zone, location.line AS location_line,
      @schema@.open_data_sensor_line(s.sensors_id, to_jsonb(s)->>'location', s.parameter::text, s.units::text) AS line
    FROM @schema@.open_data_sensors s JOIN location USING (sensor_nodes_id)
    JOIN known ON known.time_zone IS NOT DISTINCT FROM location.time_zone
    WHERE s.sensors_id IS NOT NULL
    ORDER BY s.sensors_id, s.sensor_nodes_id
  ), counted AS (
    SELECT sensor.sensor_nodes_id, had.day, sum(had.readings) AS records, min(sensor.time_zone) AS time_zone,
      encode(sha256(convert_to(min(sensor.location_line) || string_agg(
        E'\n' || sensor.line || ' ' || had.readings, '' ORDER BY sensor.sensors_id), 'UTF8')), 'hex') AS made_of
    FROM sensor CROSS JOIN LATERAL (  -- OFFSET: each sensor is looked up by its index.
      SELECT @schema@.open_data_day(m.datetime, sensor.zone, (SELECT ending FROM bound)) AS day, count(*) AS readings
      FROM @schema@.open_data_measurements m
      WHERE m.sensors_id = sensor.sensors_id AND isfinite(m.datetime) GROUP BY 1 OFFSET 0) AS had
    GROUP BY 1, 2
  ), logged AS (
    SELECT * FROM @schema@.open_data_export_logs log
    WHERE locations IS NULL OR log.sensor_nodes_id = ANY (locations)
  )
  SELECT sensor_nodes_id, day, coalesce(c.records, 0)::bigint, logged.modified_on
  FROM counted c FULL JOIN logged USING (sensor_nodes_id, day)
  WHERE coalesce(c.records, 0) <> coalesce(logged.records, 0)
    OR logged.exported_on >= logged.modified_on AND logged.key IS NOT NULL
       AND NOT coalesce((logged.metadata->>'kept')::boolean, false) AND (
      CASE WHEN logged.metadata ? 'made_of' THEN logged.metadata->>'made_of' IS DISTINCT FROM c.made_of
           WHEN logged.metadata ? 'time_zone'  -- An earlier version exported it.
             THEN (logged.metadata->>'day_bound', logged.metadata->>'time_zone')
                  IS DISTINCT FROM ((SELECT day_bound FROM bound), c.time_zone)
           ELSE false END
      OR formats IS NOT NULL AND logged.metadata->>'formats' IS DISTINCT FROM formats)
$$;

DROP FUNCTION IF EXISTS open_data_recount();

-- Counts the readings of these locations (null: of all), and marks as modified the days whose count
-- was wrong, and those whose file was made of something else: another bound of days, a location
-- that moved or was renamed, other sensors, other formats. Days that failed are tried again, too: of
-- those that rested, `retried` were. For readings from before the log, or that came past the triggers.
--
-- Nobody waits for the count, for it locks nothing. A day takes what was counted only if its row is
-- still the one that was counted beside: since whoever changes readings raises modified_on in the
-- same transaction, none is then counted twice or never. Days that changed meanwhile are `missed`:
-- they are pending, and another call counts them.
CREATE FUNCTION open_data_recount_locations(locations bigint[], formats text, OUT marked bigint, OUT missed bigint,
                                            OUT retried bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp
SET lock_timeout = '2s' SET plan_cache_mode = force_custom_plan SET jit = off
-- What the lines of locations and sensors are written by, whatever the caller's session has.
SET extra_float_digits = 1 SET datestyle = 'ISO, MDY' SET intervalstyle = 'postgres' SET bytea_output = 'hex'
SET lc_monetary = 'C' SET lc_numeric = 'C' SET lc_time = 'C' AS $$
BEGIN
  PERFORM open_data_need_read_committed();
  UPDATE open_data_export_logs log SET attempts = 0
  FROM (SELECT sensor_nodes_id, day FROM open_data_export_logs
        WHERE has_error AND attempts <> 0 AND (locations IS NULL OR sensor_nodes_id = ANY (locations))
        FOR UPDATE SKIP LOCKED) AS failed
  WHERE log.sensor_nodes_id = failed.sensor_nodes_id AND log.day = failed.day;
  GET DIAGNOSTICS retried = ROW_COUNT;
  WITH differing AS MATERIALIZED (
    SELECT * FROM open_data_compare(locations, formats)
  ), put AS (
    INSERT INTO open_data_export_logs AS log (sensor_nodes_id, day, records, modified_on)
    SELECT node, day, records, coalesce(seen, clock_timestamp()) FROM differing ORDER BY node, day
    ON CONFLICT (sensor_nodes_id, day) DO UPDATE SET
      records = excluded.records,
      modified_on = open_data_once_more(log.modified_on, log.exported_on),
      attempts = 0,
      has_error = false
    WHERE log.modified_on = excluded.modified_on
    RETURNING 1
  )
  SELECT (SELECT count(*) FROM put), (SELECT count(*) FROM differing) - (SELECT count(*) FROM put)
    INTO marked, missed;
END $$;

-- Since when a recount has been under way that has not come to its end; null: none is.
ALTER TABLE open_data_settings ADD COLUMN recounting_since timestamptz;

-- A recount goes through the locations slice by slice, between these two calls. Until it has come to its
-- end, the log knows of some of the days that have no readings any more and not of others, so that nobody
-- can say how many files would go: none goes until then. Of several recounts the one that began last ends
-- it, for that one has counted everything since. One that is broken off has to be run again.
CREATE FUNCTION open_data_begin_recount() RETURNS timestamptz
LANGUAGE sql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  UPDATE open_data_settings
  SET recounting_since = greatest(clock_timestamp(), recounting_since + interval '1 microsecond')
  RETURNING recounting_since
$$;
CREATE FUNCTION open_data_end_recount(begun timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  UPDATE open_data_settings SET recounting_since = NULL WHERE recounting_since = begun
$$;

CREATE FUNCTION open_data_is_recounting() RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT recounting_since IS NOT NULL FROM @schema@.open_data_settings
$$;

-- Counts the readings of these days, and marks as modified those that the log counted otherwise;
-- returns how many. A day that an ingest has locked is passed over: it will be another day then. The
-- others' rows are locked first and counted after that, for a change of theirs comes before the lock,
-- and is counted, or waits for it, and adds to the count.
CREATE FUNCTION open_data_recount_days(nodes bigint[], days date[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp
SET lock_timeout = '10s' SET plan_cache_mode = force_custom_plan SET jit = off AS $$
DECLARE
  ending CONSTANT boolean := (SELECT day_bound = 'time_ending' FROM open_data_settings);
  locked_nodes bigint[];
  locked_days date[];
  changed bigint;
BEGIN
  PERFORM open_data_need_read_committed();
  INSERT INTO open_data_export_logs (sensor_nodes_id, day)
  SELECT DISTINCT node, wanted_day FROM unnest(nodes, days) AS wanted (node, wanted_day)
  WHERE NOT EXISTS (SELECT FROM open_data_export_logs log
                    WHERE log.sensor_nodes_id = node AND log.day = wanted_day)
  ORDER BY 1, 2
  ON CONFLICT DO NOTHING;
  SELECT array_agg(locked.sensor_nodes_id), array_agg(locked.day) INTO locked_nodes, locked_days
  FROM (SELECT log.sensor_nodes_id, log.day FROM open_data_export_logs log
        WHERE (log.sensor_nodes_id, log.day) IN (SELECT * FROM unnest(nodes, days))
        ORDER BY log.sensor_nodes_id, log.day FOR UPDATE SKIP LOCKED) AS locked;
  WITH counted AS MATERIALIZED (
    SELECT wanted.node, wanted.day, coalesce(sum(had.readings), 0) AS readings
    FROM unnest(locked_nodes, locked_days) AS wanted (node, day)
    LEFT JOIN open_data_homes(locked_nodes) home ON home.sensor_nodes_id = wanted.node
    LEFT JOIN LATERAL open_data_span(wanted.day, home.zone, ending) AS span ON true
    LEFT JOIN LATERAL (
      SELECT count(*) AS readings FROM open_data_measurements m
      WHERE m.sensors_id = home.sensors_id AND m.datetime BETWEEN span.first AND span.last
        AND (span.is_exact OR open_data_day(m.datetime, home.zone, ending) = wanted.day) OFFSET 0) AS had ON true
    GROUP BY 1, 2
  )
  UPDATE open_data_export_logs log
  SET records = counted.readings,
      modified_on = open_data_once_more(log.modified_on, log.exported_on),
      attempts = 0, has_error = false
  FROM counted
  WHERE log.sensor_nodes_id = counted.node AND log.day = counted.day AND log.records <> counted.readings;
  GET DIAGNOSTICS changed = ROW_COUNT;
  -- Days that never had readings need no row.
  DELETE FROM open_data_export_logs log USING unnest(locked_nodes, locked_days) AS wanted (node, day)
  WHERE log.sensor_nodes_id = wanted.node AND log.day = wanted.day
    AND log.records = 0 AND log.exported_on IS NULL AND log.queued_on IS NULL;
  RETURN changed;
END $$;

-- What is counted under a lock, or beside a row, has to be seen as it is by then.
CREATE FUNCTION open_data_need_read_committed() RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'readings are recounted only in a transaction that is READ COMMITTED, not %',
      upper(current_setting('transaction_isolation')) USING ERRCODE = 'invalid_transaction_state';
  END IF;
END $$;

-- Marks the days of these locations (null: of all) within [first, last] (null: without that end) as
-- modified, so that they are exported again: how many, and how many of these once they are over.
CREATE FUNCTION open_data_mark(locations bigint[], first date, last date, OUT marked bigint, OUT early bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp
SET lock_timeout = '2s' SET plan_cache_mode = force_custom_plan AS $$
BEGIN
  WITH meant AS (
    SELECT sensor_nodes_id, day FROM open_data_export_logs
    WHERE (locations IS NULL OR sensor_nodes_id = ANY (locations))
      AND (first IS NULL OR day >= first) AND (last IS NULL OR day <= last)
      AND (records <> 0 OR key IS NOT NULL)
    ORDER BY sensor_nodes_id, day FOR UPDATE
  ), put AS (
    UPDATE open_data_export_logs log
    SET modified_on = open_data_once_more(log.modified_on, log.exported_on),
        attempts = 0, has_error = false
    FROM meant WHERE log.sensor_nodes_id = meant.sensor_nodes_id AND log.day = meant.day
    RETURNING log.sensor_nodes_id, log.day
  )
  SELECT count(*), count(*) FILTER (WHERE NOT open_data_is_over(put.sensor_nodes_id, put.day))
    INTO marked, early FROM put;
END $$;

-- The locations that the log or the view has.
CREATE FUNCTION open_data_known_locations() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  WITH RECURSIVE logged AS (  -- From one location to the next, by the index.
    (SELECT sensor_nodes_id FROM open_data_export_logs ORDER BY 1 LIMIT 1)
    UNION ALL
    SELECT (SELECT log.sensor_nodes_id FROM open_data_export_logs log
            WHERE log.sensor_nodes_id > logged.sensor_nodes_id ORDER BY 1 LIMIT 1)
    FROM logged WHERE logged.sensor_nodes_id IS NOT NULL
  )
  SELECT sensor_nodes_id FROM logged WHERE sensor_nodes_id IS NOT NULL
  UNION SELECT sensor_nodes_id FROM open_data_locations WHERE sensor_nodes_id IS NOT NULL
  ORDER BY 1
$$;

-- The file of a day in a format, as DayFormat::KeyOf says.
CREATE FUNCTION open_data_key(format text, node bigint, of_day date) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT pg_catalog.format('records/%1$s/locationid=%2$s/year=%3$s/month=%4$s/location-%2$s-%5$s.%1$s', $1, node,
                           to_char(of_day, 'YYYY'), to_char(of_day, 'MM'), to_char(of_day, 'YYYYMMDD'))
$$;

-- Takes over from another exporter's log what it has exported of these locations and nobody changed
-- since: days that this log has already stay as they are. Its file has to be the one that this exporter
-- would write in one of the `formats`; a row without a key is taken to have that of the first. A day that
-- has one of several formats is found by the next recount. Says how many days were taken over, how many
-- were not since their file is elsewhere, and how many since open_data_locations does not show theirs.
CREATE FUNCTION open_data_adopt(their_log regclass, locations bigint[], formats text[],
                                OUT adopted bigint, OUT elsewhere bigint, OUT hidden bigint)
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE pg_catalog.format($adopt$
    WITH theirs AS MATERIALIZED (
      SELECT sensor_nodes_id::bigint AS node, day, records, modified_on, exported_on, to_jsonb(log) AS whole
      FROM %s log WHERE sensor_nodes_id = ANY ($1)
    ), exported AS MATERIALIZED (
      SELECT *, coalesce(nullif(whole->>'key', ''), @schema@.open_data_key($2[1], node, day)) AS place,
        EXISTS (SELECT FROM @schema@.open_data_locations l WHERE l.sensor_nodes_id = node) AS is_shown
      FROM theirs
      WHERE exported_on IS NOT NULL AND coalesce(modified_on, exported_on) <= exported_on AND records > 0
        AND whole->>'has_error' IS DISTINCT FROM 'true'
        AND NOT EXISTS (SELECT FROM @schema@.open_data_export_logs ours
                        WHERE ours.sensor_nodes_id = node AND ours.day = theirs.day)
    ), matched AS MATERIALIZED (
      SELECT exported.*, format
      FROM exported LEFT JOIN unnest($2) AS format ON @schema@.open_data_key(format, node, day) = place
    ), put AS (
      INSERT INTO @schema@.open_data_export_logs
        (sensor_nodes_id, day, records, measurands, added_on, modified_on, exported_on, key, version, metadata)
      SELECT node, day, records, coalesce((whole->>'measurands')::bigint, 0),
        coalesce((whole->>'added_on')::timestamptz, exported_on), coalesce(modified_on, exported_on), exported_on, place, 1,
        jsonb_build_object('adopted', true, 'rows', records, 'formats', format, 'files', jsonb_build_array(
          jsonb_build_object('key', place, 'rows', records, 'bytes', 0, 'sha256', '')))
      FROM matched WHERE is_shown AND format IS NOT NULL
      ORDER BY node, day
      ON CONFLICT (sensor_nodes_id, day) DO NOTHING
      RETURNING 1
    )
    SELECT (SELECT count(*) FROM put), count(*) FILTER (WHERE is_shown AND format IS NULL),
           count(*) FILTER (WHERE NOT is_shown)
    FROM matched$adopt$, their_log) INTO adopted, elsewhere, hidden USING locations, formats;
END $$;
