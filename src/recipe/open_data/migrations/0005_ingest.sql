-- There are logs of version 4. What this file and those after it define is defined nowhere before, and
-- says OR REPLACE where such a log has an earlier form of it.

-- The side of ingest. It works on three views that the database's owner defines (docs/open-data.md):
--   open_data_locations    (sensor_nodes_id, location, lat, lon, time_zone)
--   open_data_sensors      (sensors_id, sensor_nodes_id, parameter, units)
--   open_data_measurements (sensors_id, datetime, value, lat, lon)

-- As modified: later than every modification and export before it, whatever the clock does. So the day is
-- exported once more.
CREATE FUNCTION open_data_once_more(modified_on timestamptz, exported_on timestamptz,
                                    now timestamptz DEFAULT clock_timestamp()) RETURNS timestamptz
LANGUAGE sql VOLATILE AS $$
  SELECT greatest(now, modified_on + interval '1 microsecond',
                  exported_on + interval '1 microsecond')
$$;

-- Notes that readings of these days came (or, below zero, went); days whose readings merely changed
-- come with a zero. Call it in the transaction that changes them. Rows are taken in one order, so
-- that two callers of one statement each never wait for each other. No count goes below zero: where
-- readings go that nobody saw come, the day is pending, and its export counts it again if it has to.
CREATE OR REPLACE FUNCTION open_data_upsert(sensor_nodes_ids bigint[], days date[], added bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  INSERT INTO open_data_export_logs AS log (sensor_nodes_id, day, records)
  SELECT node, changed_day, sum(more)
  FROM unnest(sensor_nodes_ids, days, added) AS changed (node, changed_day, more)
  GROUP BY node, changed_day ORDER BY node, changed_day
  ON CONFLICT (sensor_nodes_id, day) DO UPDATE SET
    records = greatest(log.records + excluded.records, 0),
    modified_on = open_data_once_more(log.modified_on, log.exported_on),
    attempts = 0,
    has_error = false;
  UPDATE open_data_export_logs log SET records = 0  -- Of rows that were made just now.
  FROM unnest(sensor_nodes_ids, days, added) AS changed (node, changed_day, more)
  WHERE more < 0 AND log.sensor_nodes_id = node AND log.day = changed_day AND log.records < 0
$$;

-- The sensors of these locations (null: of all), each once, with a time zone that PostgreSQL knows.
-- Where a view has a location or a sensor twice, the export of its days says so; here it counts once.
CREATE FUNCTION open_data_homes(locations bigint[])
RETURNS TABLE (sensors_id bigint, sensor_nodes_id bigint, zone text)
LANGUAGE sql STABLE AS $$
  WITH location AS MATERIALIZED (
    SELECT l.sensor_nodes_id, coalesce(min(l.time_zone::text), '') AS time_zone
    FROM @schema@.open_data_locations l
    WHERE locations IS NULL OR l.sensor_nodes_id = ANY (locations) GROUP BY 1
  ), known AS MATERIALIZED (
    SELECT time_zone, coalesce(@schema@.open_data_zone(time_zone), 'UTC') AS zone
    FROM (SELECT DISTINCT time_zone FROM location) AS met
  )
  SELECT DISTINCT s.sensors_id::bigint, s.sensor_nodes_id::bigint, known.zone
  FROM @schema@.open_data_sensors s JOIN location USING (sensor_nodes_id) JOIN known USING (time_zone)
  WHERE s.sensors_id IS NOT NULL
$$;

-- How many of these readings each location and day has. A reading of a sensor that is in no view is
-- counted once it is there, by a recount; one of a location whose zone is none counts by UTC, and its
-- export says what is wrong. A reading without a time, or of an infinite one, belongs to no day.
CREATE OR REPLACE FUNCTION open_data_count(sensors_ids bigint[], datetimes timestamptz[], ending boolean)
RETURNS TABLE (node bigint, day date, readings bigint)
LANGUAGE sql STABLE AS $$
  WITH reading AS MATERIALIZED (
    SELECT r.sensors_id, r.datetime FROM unnest(sensors_ids, datetimes) AS r (sensors_id, datetime)
    WHERE isfinite(r.datetime)
  ), sensor AS MATERIALIZED (
    SELECT DISTINCT s.sensors_id, s.sensor_nodes_id FROM @schema@.open_data_sensors s
    WHERE s.sensors_id IN (SELECT sensors_id FROM reading)
  ), location AS MATERIALIZED (
    SELECT l.sensor_nodes_id, coalesce(min(l.time_zone::text), '') AS time_zone
    FROM @schema@.open_data_locations l
    WHERE l.sensor_nodes_id IN (SELECT sensor_nodes_id FROM sensor) GROUP BY 1
  ), known AS MATERIALIZED (
    SELECT time_zone, coalesce(@schema@.open_data_zone(time_zone), 'UTC') AS zone
    FROM (SELECT DISTINCT time_zone FROM location) AS met
  )
  SELECT sensor_nodes_id, @schema@.open_data_day(datetime, zone, ending), count(*)
  FROM reading JOIN sensor USING (sensors_id) JOIN location USING (sensor_nodes_id)
    JOIN known USING (time_zone)
  GROUP BY 1, 2
$$;

-- For an ingest whose table has no triggers: call it in the transaction that changes readings, with the
-- sensors and times of those that came (sign 1), went (-1) or merely changed (0).
CREATE FUNCTION open_data_changed(sensors_ids bigint[], datetimes timestamptz[], sign integer) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  SELECT open_data_upsert(array_agg(c.node), array_agg(c.day), array_agg(sign * c.readings))
  FROM open_data_settings s, open_data_count(sensors_ids, datetimes, s.day_bound = 'time_ending') c
$$;
