-- What each deploy of that database runs: it makes its log where there is none, and its functions and
-- views again, by names without a schema.
SET search_path = public;

CREATE TABLE IF NOT EXISTS open_data_export_logs (
  sensor_nodes_id int NOT NULL REFERENCES sensor_nodes ON DELETE CASCADE,
  day date NOT NULL,
  records int NOT NULL,
  measurands int NOT NULL,
  added_on timestamptz DEFAULT now(),
  modified_on timestamptz DEFAULT now(),
  queued_on timestamptz,
  exported_on timestamptz,
  has_error boolean DEFAULT false,
  key text,
  version int,
  checked_on timestamptz,
  metadata json,
  UNIQUE (sensor_nodes_id, day)
);

CREATE OR REPLACE FUNCTION create_measurements_partition(of_day date) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TABLE IF NOT EXISTS _measurements_internal.%I PARTITION OF measurements'
                 ' FOR VALUES FROM (%L) TO (%L)', 'measurements_' || to_char(of_day, 'YYYYMM'),
                 date_trunc('month', of_day), date_trunc('month', of_day) + interval '1 month');
END $$;

DROP VIEW IF EXISTS measurement_data_export;
CREATE VIEW measurement_data_export AS
  SELECT n.sensor_nodes_id, s.sensors_id, n.site_name || '-' || y.sensor_systems_id AS location, m.datetime,
    t.tzid, p.measurand, p.units, m.value,
    CASE WHEN n.ismobile THEN m.lat ELSE st_y(n.geom) END AS lat,
    CASE WHEN n.ismobile THEN m.lon ELSE st_x(n.geom) END AS lon
  FROM measurements m
  JOIN sensors s USING (sensors_id)
  JOIN measurands p USING (measurands_id)
  JOIN sensor_systems y USING (sensor_systems_id)
  JOIN sensor_nodes n USING (sensor_nodes_id)
  JOIN providers USING (source_name)
  JOIN timezones t USING (timezones_id);

DROP FUNCTION IF EXISTS get_pending(int);
CREATE FUNCTION get_pending(most int = 100) RETURNS TABLE (sensor_nodes_id int, day date, records int)
LANGUAGE sql AS $$
  UPDATE open_data_export_logs log SET queued_on = now()
  FROM (SELECT l.sensor_nodes_id, l.day FROM open_data_export_logs l
        WHERE exported_on IS NULL OR modified_on > exported_on LIMIT most FOR UPDATE SKIP LOCKED) AS pending
  WHERE log.sensor_nodes_id = pending.sensor_nodes_id AND log.day = pending.day
  RETURNING log.sensor_nodes_id, log.day, log.records
$$;

CREATE OR REPLACE FUNCTION update_export_log_exported(of_day date, node int, rows int) RETURNS void
LANGUAGE sql AS $$
  UPDATE open_data_export_logs SET exported_on = now(), records = rows, metadata = '{}'
  WHERE day = of_day AND sensor_nodes_id = node
$$;

-- Takes what is staged, and says in its own log how many readings of each day it took last.
CREATE OR REPLACE FUNCTION ingest_measurements() RETURNS bigint LANGUAGE sql AS $$
  WITH inserted AS (
    INSERT INTO measurements (sensors_id, datetime, value, lon, lat)
    SELECT s.sensors_id, t.datetime, t.value, t.lon, t.lat
    FROM staged_measurements t JOIN sensors s USING (source_id)
    ON CONFLICT DO NOTHING
    RETURNING sensors_id, datetime
  ), logged AS (
    INSERT INTO open_data_export_logs (sensor_nodes_id, day, records, measurands, modified_on)
    SELECT y.sensor_nodes_id, ((i.datetime - interval '1 second') AT TIME ZONE tz.tzid)::date, count(*),
      count(DISTINCT s.measurands_id), max(now())
    FROM inserted i JOIN sensors s USING (sensors_id) JOIN sensor_systems y USING (sensor_systems_id)
      JOIN sensor_nodes n USING (sensor_nodes_id) JOIN timezones tz USING (timezones_id)
    GROUP BY 1, 2
    ON CONFLICT (sensor_nodes_id, day) DO UPDATE SET
      records = excluded.records, measurands = excluded.measurands, modified_on = excluded.modified_on
    RETURNING 1
  ), emptied AS (
    DELETE FROM staged_measurements RETURNING 1
  )
  SELECT count(*) FROM inserted
$$;
