-- A database of the shape of OpenAQ's, and the three views by which Spillway reads it.

CREATE TABLE timezones (timezones_id int PRIMARY KEY, tzid text NOT NULL);
CREATE TABLE measurands (measurands_id int PRIMARY KEY, measurand text NOT NULL, units text NOT NULL);
CREATE TABLE sensor_nodes (
  sensor_nodes_id int PRIMARY KEY,
  site_name text NOT NULL,
  lat float8,
  lon float8,
  timezones_id int NOT NULL REFERENCES timezones
);
CREATE TABLE sensor_systems (
  sensor_systems_id int PRIMARY KEY,
  sensor_nodes_id int NOT NULL REFERENCES sensor_nodes
);
CREATE TABLE sensors (
  sensors_id int PRIMARY KEY,
  sensor_systems_id int NOT NULL REFERENCES sensor_systems,
  measurands_id int NOT NULL REFERENCES measurands
);
CREATE TABLE measurements (
  sensors_id int NOT NULL,
  datetime timestamptz NOT NULL,
  value float8 NOT NULL,
  lat float8,  -- Of stations that move; else null.
  lon float8,
  PRIMARY KEY (sensors_id, datetime)
);
CREATE INDEX ON sensor_systems (sensor_nodes_id);
CREATE INDEX ON sensors (sensor_systems_id);

CREATE VIEW open_data_locations AS
  SELECT sensor_nodes_id, site_name AS location, lat, lon, tzid AS time_zone
  FROM sensor_nodes JOIN timezones USING (timezones_id);
CREATE VIEW open_data_sensors AS
  SELECT sensors_id, sensor_nodes_id, measurand AS parameter, units
  FROM sensors JOIN sensor_systems USING (sensor_systems_id) JOIN measurands USING (measurands_id);
CREATE VIEW open_data_measurements AS
  SELECT sensors_id, datetime, value, lat, lon FROM measurements;
