-- A week of hourly readings of stations that stand still, one that moves, one that is not public.
INSERT INTO timezones (tzid) VALUES ('Europe/London'), ('Asia/Kolkata'), ('America/Denver'), ('Etc/UTC');
INSERT INTO providers (source_name, export_prefix) VALUES ('city', 'city');
INSERT INTO measurands (measurand, units) VALUES ('pm25', 'µg/m³'), ('o3', 'ppm'), ('temperature', 'c');
INSERT INTO sensor_nodes (ismobile, geom, site_name, source_name, source_id, is_public, timezones_id) VALUES
  (false, st_setsrid(st_makepoint(-0.125, 51.5), 4326), 'London, Bridge', 'city', 'a', true, 1),
  (true, null, 'Tram 9', 'city', 'b', true, 2),
  (false, st_setsrid(st_makepoint(-105, 39.75), 4326), 'Denver', 'city', 'c', true, 3),
  (false, st_setsrid(st_makepoint(3, 4), 4326), 'A school', 'city', 'd', false, 4),
  (null, st_setsrid(st_makepoint(-17, 14.75), 4326), 'Dakar "old"', 'city', 'e', true, 4);
INSERT INTO sensor_systems (sensor_nodes_id, source_id) VALUES (1, 'x'), (1, 'y'), (2, 'x'), (3, 'x'), (4, 'x'), (5, 'x');
INSERT INTO sensors (sensor_systems_id, measurands_id, source_id)
  SELECT y, p, format('sensor-%s-%s', y, p) FROM generate_series(1, 6) y, generate_series(1, 3) p;
UPDATE sensors SET is_public = false WHERE source_id = 'sensor-4-3';
SELECT create_measurements_partition(d::date) FROM unnest('{2024-03-01,2024-04-01}'::date[]) d;
-- Whole numbers for the first system, fractions for the others; coordinates that only a tram's count.
INSERT INTO staged_measurements
  SELECT source_id, timestamptz '2024-03-27T00:00Z' + n * interval '1 hour',
    CASE WHEN sensor_systems_id = 1 THEN n ELSE n / 8.0 END, 77 + n / 1024.0, 12 + n / 1024.0
  FROM sensors, generate_series(0, 191) n;
SELECT ingest_measurements();
