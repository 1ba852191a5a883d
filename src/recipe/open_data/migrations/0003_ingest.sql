-- The side of ingest. It works on three views that the database's owner defines (docs/open-data.md):
--   open_data_locations    (sensor_nodes_id, location, lat, lon, time_zone)
--   open_data_sensors      (sensors_id, sensor_nodes_id, parameter, units)
--   open_data_measurements (sensors_id, datetime, value, lat, lon)

-- Notes that readings of these days came (or, below zero, went); days whose readings merely changed
-- come with a zero. Call it in the transaction that changes them. Rows are taken in one order, so
-- that two callers of one statement each never wait for each other. No count goes below zero: where
-- readings go that nobody saw come, the day is pending, and its export counts it again if it has to.
CREATE FUNCTION open_data_upsert(sensor_nodes_ids bigint[], days date[], added bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  INSERT INTO open_data_export_logs AS log (sensor_nodes_id, day, records)
  SELECT node, changed_day, sum(more)
  FROM unnest(sensor_nodes_ids, days, added) AS changed (node, changed_day, more)
  GROUP BY node, changed_day ORDER BY node, changed_day
  ON CONFLICT (sensor_nodes_id, day) DO UPDATE SET
    records = greatest(log.records + excluded.records, 0),
    -- Later than every modification and export before it, whatever the clock does.
    modified_on = greatest(clock_timestamp(), log.modified_on + interval '1 microsecond',
                           log.exported_on + interval '1 microsecond'),
    attempts = 0,
    has_error = false;
  UPDATE open_data_export_logs log SET records = 0  -- Of rows that were made just now.
  FROM unnest(sensor_nodes_ids, days, added) AS changed (node, changed_day, more)
  WHERE more < 0 AND log.sensor_nodes_id = node AND log.day = changed_day AND log.records < 0
$$;
