-- A database of the public shape of OpenAQ's, written for this test from its description: stations
-- with PostGIS points, sensors by system, measurements by month, providers, time zones, and a log of
-- exports that belongs to another exporter.
CREATE EXTENSION IF NOT EXISTS postgis;
CREATE SCHEMA _measurements_internal;

CREATE TABLE timezones (
  timezones_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tzid text,
  geog geography
);
CREATE TABLE providers (
  providers_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source_name text NOT NULL UNIQUE,
  export_prefix text NOT NULL
);
CREATE TABLE measurands (
  measurands_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  measurand text NOT NULL,
  units text NOT NULL,
  UNIQUE (measurand, units)
);
CREATE TABLE sensor_nodes (
  sensor_nodes_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  ismobile boolean,
  geom geometry,
  site_name text,
  source_name text REFERENCES providers (source_name),
  country text,
  metadata jsonb,
  source_id text,
  is_public boolean DEFAULT true,
  timezones_id int REFERENCES timezones,
  UNIQUE (source_name, source_id)
);
CREATE TABLE sensor_systems (
  sensor_systems_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sensor_nodes_id int NOT NULL REFERENCES sensor_nodes,
  source_id text,
  UNIQUE (sensor_nodes_id, source_id)
);
CREATE TABLE sensors (
  sensors_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sensor_systems_id int NOT NULL REFERENCES sensor_systems,
  measurands_id int NOT NULL REFERENCES measurands,
  source_id text UNIQUE,
  is_public boolean DEFAULT true
);
CREATE INDEX ON sensors (sensor_systems_id);
CREATE TABLE measurements (
  sensors_id int,
  datetime timestamptz,
  value float8,
  lon float8,
  lat float8,
  added_on timestamptz DEFAULT now()
) PARTITION BY RANGE (datetime);
CREATE INDEX ON measurements (datetime);
CREATE UNIQUE INDEX ON measurements (sensors_id, datetime);
CREATE TABLE staged_measurements (source_id text, datetime timestamptz, value float8, lon float8, lat float8);
