-- Locks the rows of these days. Whoever changes several days' rows takes them in one order (location,
-- day), so that nobody waits for somebody who waits for him.
CREATE FUNCTION open_data_lock(nodes bigint[], days date[]) RETURNS void
LANGUAGE sql AS $$
  SELECT FROM open_data_export_logs log
  JOIN unnest(nodes, days) AS wanted (node, wanted_day)
    ON log.sensor_nodes_id = wanted.node AND log.day = wanted.wanted_day
  ORDER BY log.sensor_nodes_id, log.day
  FOR UPDATE OF log
$$;
