-- The side of ingest. It works on three views that the database's owner defines (docs/open-data.md):
--   open_data_locations    (sensor_nodes_id, location, lat, lon, time_zone)
--   open_data_sensors      (sensors_id, sensor_nodes_id, parameter, units)
--   open_data_measurements (sensors_id, datetime, value, lat, lon)

-- Notes that readings of these days came (or, below zero, went); days whose readings merely changed
-- come with a zero. Call it in the transaction that changes them. Rows are taken in one order, so
-- that two callers of one statement each never wait for each other.
CREATE FUNCTION open_data_upsert(sensor_nodes_ids bigint[], days date[], added bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  INSERT INTO open_data_export_logs AS log (sensor_nodes_id, day, records)
  SELECT node, changed_day, sum(more)
  FROM unnest(sensor_nodes_ids, days, added) AS changed (node, changed_day, more)
  GROUP BY node, changed_day ORDER BY node, changed_day
  ON CONFLICT (sensor_nodes_id, day) DO UPDATE SET
    records = log.records + excluded.records,
    -- Later than every modification and export before it, whatever the clock does.
    modified_on = greatest(clock_timestamp(), log.modified_on + interval '1 microsecond',
                           log.exported_on + interval '1 microsecond'),
    attempts = 0,
    has_error = false
$$;

-- Statement by statement, from the rows that came and went. A reading of a sensor that is in no view
-- is counted once it is there, by open_data_recount; one of a location whose zone is none counts by
-- UTC, and its export says what is wrong.
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

-- How many of these readings each location and day has.
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

-- Tracks a table's changes from now on; its columns are sensors_id and datetime. Readings that it has
-- already: open_data_recount.
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

-- Counts all readings anew, and marks as modified the days whose count was wrong, and those whose
-- file was made with another bound of days or in another zone. Days that failed are tried again, too.
-- For readings from before the log, a new bound of days, locations that moved to another zone.
-- Tracked changes wait for it, so that none is counted twice or never. Returns how many days were
-- marked.
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
