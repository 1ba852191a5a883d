-- Counts the readings of these days again, and marks as modified those whose count was wrong. Returns how
-- many were. An ingest that changes one of them waits, or is waited for.
CREATE FUNCTION open_data_recount_days(nodes bigint[], days date[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp SET lock_timeout = '1min' AS $$
DECLARE
  ending CONSTANT boolean := (SELECT day_bound = 'time_ending' FROM open_data_settings);
  marked bigint;
BEGIN
  PERFORM open_data_lock(nodes, days);
  WITH location AS MATERIALIZED (
    SELECT DISTINCT sensor_nodes_id, coalesce(open_data_zone(time_zone), 'UTC') AS zone
    FROM open_data_locations WHERE sensor_nodes_id = ANY (nodes)
  ), wanted AS MATERIALIZED (
    SELECT log.sensor_nodes_id, log.day, log.records, l.zone, span.first, span.last
    FROM unnest(nodes, days) AS asked (node, asked_day)
    JOIN open_data_export_logs log ON log.sensor_nodes_id = asked.node AND log.day = asked.asked_day
    LEFT JOIN location l ON l.sensor_nodes_id = log.sensor_nodes_id
    LEFT JOIN LATERAL open_data_span(log.day, l.zone, ending) AS span ON true
  ), counted AS (
    SELECT w.sensor_nodes_id, w.day, w.records, (
      SELECT count(*) FROM open_data_sensors s
      CROSS JOIN LATERAL (
        SELECT datetime FROM open_data_measurements m
        WHERE m.sensors_id = s.sensors_id AND m.datetime BETWEEN w.first AND w.last OFFSET 0) AS reading
      WHERE s.sensor_nodes_id = w.sensor_nodes_id
        AND open_data_day(reading.datetime, w.zone, ending) = w.day) AS there
    FROM wanted w
  ), listed AS (
    SELECT array_agg(sensor_nodes_id) AS wrong_nodes, array_agg(day) AS wrong_days,
           array_agg(there - records) AS added, count(*) AS days_marked
    FROM counted WHERE there <> records
  )
  SELECT days_marked INTO marked
  FROM listed, LATERAL open_data_upsert(wrong_nodes, wrong_days, added);
  RETURN coalesce(marked, 0);
END $$;

REVOKE EXECUTE ON FUNCTION open_data_recount_days(bigint[], date[]) FROM PUBLIC;
