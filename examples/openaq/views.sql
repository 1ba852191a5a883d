-- The public schema of OpenAQ's database as Spillway reads it (docs/open-data.md). They read tables
-- alone, so that a deploy may drop and create the views of that schema.
CREATE SCHEMA IF NOT EXISTS spillway_open_data;

-- A station that moves has no place of its own: its readings have theirs. One without a time zone is
-- there, so that its export says what is wrong.
CREATE OR REPLACE VIEW spillway_open_data.open_data_locations AS
  SELECT n.sensor_nodes_id, n.site_name AS location,
         CASE WHEN n.ismobile THEN NULL ELSE st_y(n.geom) END AS lat,
         CASE WHEN n.ismobile THEN NULL ELSE st_x(n.geom) END AS lon,
         t.tzid AS time_zone
  FROM public.sensor_nodes n LEFT JOIN public.timezones t USING (timezones_id)
  WHERE n.is_public;

-- The text of a location has the number of the sensor system, so it is the sensor's.
CREATE OR REPLACE VIEW spillway_open_data.open_data_sensors AS
  SELECT s.sensors_id, y.sensor_nodes_id, p.measurand AS parameter, p.units,
         n.site_name || '-' || y.sensor_systems_id AS location
  FROM public.sensors s
  JOIN public.sensor_systems y USING (sensor_systems_id)
  JOIN public.sensor_nodes n USING (sensor_nodes_id)
  JOIN public.measurands p USING (measurands_id)
  WHERE n.is_public AND s.is_public;

-- A station that stands still is where its location is, whatever its readings say. Outer joins on
-- keys: PostgreSQL leaves them out where only times are counted.
CREATE OR REPLACE VIEW spillway_open_data.open_data_measurements AS
  SELECT m.sensors_id, m.datetime, m.value,
         CASE WHEN n.ismobile THEN m.lat END AS lat,
         CASE WHEN n.ismobile THEN m.lon END AS lon
  FROM public.measurements m
  LEFT JOIN public.sensors s USING (sensors_id)
  LEFT JOIN public.sensor_systems y USING (sensor_systems_id)
  LEFT JOIN public.sensor_nodes n USING (sensor_nodes_id);
