-- Forty stations around the world, their readings of the last ten days, an hour apart. The same seed
-- gives the same readings (for the same day).
SELECT setseed(0.25);

INSERT INTO measurands VALUES
  (1, 'pm25', 'µg/m³'), (2, 'pm10', 'µg/m³'), (3, 'o3', 'ppm'), (4, 'no2', 'ppm'),
  (5, 'temperature', 'c'), (6, 'relativehumidity', '%');

INSERT INTO timezones
SELECT row_number() OVER (), zone FROM unnest(ARRAY[
  'Pacific/Kiritimati', 'Pacific/Auckland', 'Australia/Lord_Howe', 'Asia/Tokyo', 'Asia/Kathmandu',
  'Asia/Kolkata', 'Asia/Tehran', 'Europe/Moscow', 'Africa/Nairobi', 'Europe/Vienna',
  'Africa/Accra', 'Atlantic/Azores', 'America/St_Johns', 'America/Sao_Paulo', 'America/New_York',
  'America/Denver', 'America/Los_Angeles', 'Pacific/Marquesas', 'Pacific/Honolulu',
  'Pacific/Pago_Pago']) AS zone;

INSERT INTO sensor_nodes
SELECT n, 'Station ' || n || ', ' || split_part(tzid, '/', 2), random() * 120 - 60,
       random() * 360 - 180, timezones_id
FROM generate_series(1, 40) AS n JOIN timezones ON timezones_id = (n - 1) % 20 + 1;

INSERT INTO sensor_systems SELECT n, n FROM generate_series(1, 40) AS n;

INSERT INTO sensors SELECT (n - 1) * 6 + m, n, m FROM generate_series(1, 40) AS n, generate_series(1, 6) AS m;

INSERT INTO measurements
SELECT sensors_id, at, round((random() * 100)::numeric, 3), NULL, NULL
FROM sensors, generate_series(date_trunc('hour', now()) - interval '10 days', date_trunc('hour', now()),
                              interval '1 hour') AS at;
