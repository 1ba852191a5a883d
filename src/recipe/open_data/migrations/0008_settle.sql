-- How long a day is left alone once it is over. It stands here, like the bound of days, so that every
-- exporter and every view of the log sees the same; `spillway open-data migrate` puts it into force.
ALTER TABLE open_data_settings
  ADD COLUMN settle interval NOT NULL DEFAULT '0' CHECK (settle >= interval '0');

-- Whether a day has been over where its location is, for as long as days settle. What is further from the
-- end of the day than any zone is from UTC needs no look at the zone. Where the zone is none, a day counts
-- as over, so that its export says what is wrong.
CREATE OR REPLACE FUNCTION open_data_is_over(node bigint, of_day date) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT CASE
    WHEN of_day < ((clock_timestamp() - s.settle) AT TIME ZONE 'UTC' - interval '15 hours')::date THEN true
    WHEN of_day >= ((clock_timestamp() - s.settle) AT TIME ZONE 'UTC' + interval '15 hours')::date THEN false
    ELSE coalesce((
      SELECT bool_and(@schema@.open_data_is_complete(of_day, @schema@.open_data_zone(l.time_zone),
                        s.day_bound = 'time_ending', clock_timestamp() - s.settle))
      FROM @schema@.open_data_locations l WHERE l.sensor_nodes_id = node), true) END
  FROM @schema@.open_data_settings s
$$;
