-- The side of the exporter. Every function is one short transaction; rows that another exporter or an
-- ingest has locked are passed over, or waited for in one order (location, day), for a minute.

-- D2. Whether the caller may take a day now: it has changed since its export and is over in its
-- location's zone. A claim that is older than `abandoned` is taken over, and so are the caller's own. A
-- day that failed is tried again after `pause`, `attempts_max` times in all. The planner puts it in the
-- place of its call, where it is rechecked once the row is locked.
CREATE FUNCTION open_data_is_pending(log open_data_export_logs, claimed_by text, abandoned interval,
                                     attempts_max integer, pause interval) RETURNS boolean
LANGUAGE sql VOLATILE AS $$
  SELECT (log.exported_on IS NULL OR log.modified_on > log.exported_on)
    AND (log.queued_on IS NULL OR log.queued_on < clock_timestamp() - abandoned
         OR log.claim = claimed_by)
    AND (log.attempts = 0 OR log.claim = claimed_by AND log.queued_on IS NOT NULL
         OR log.attempts < attempts_max AND log.checked_on < clock_timestamp() - pause)
    -- No zone is further ahead; spares looking at each of today's.
    AND log.day < (clock_timestamp() AT TIME ZONE 'UTC' + interval '15 hours')::date
    AND open_data_is_over(log.sensor_nodes_id, log.day)
$$;

-- Marks up to `wanted` pending days as queued and returns them, oldest first. Days that an export
-- looked at since `untouched_since` are left out: so an export takes none twice.
CREATE FUNCTION get_pending(wanted integer DEFAULT 500, claimed_by text DEFAULT session_user,
                            abandoned interval DEFAULT '1 hour', attempts_max integer DEFAULT 3,
                            pause interval DEFAULT '5 minutes',
                            untouched_since timestamptz DEFAULT 'infinity')
RETURNS TABLE (sensor_nodes_id bigint, day date)
LANGUAGE sql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  WITH candidate AS (
    SELECT log.sensor_nodes_id, log.day
    FROM open_data_export_logs log
    WHERE open_data_is_pending(log, claimed_by, abandoned, attempts_max, pause)
      AND (log.checked_on IS NULL OR log.checked_on < untouched_since)
    ORDER BY log.day, log.sensor_nodes_id
    LIMIT wanted
    FOR UPDATE SKIP LOCKED
  )
  UPDATE open_data_export_logs log
  SET queued_on = clock_timestamp(), claim = claimed_by
  FROM candidate
  WHERE log.sensor_nodes_id = candidate.sensor_nodes_id AND log.day = candidate.day
  RETURNING log.sensor_nodes_id, log.day
$$;

-- How many days get_pending would find, up to a limit.
CREATE FUNCTION open_data_count_pending(wanted bigint, abandoned interval DEFAULT '1 hour',
                                        attempts_max integer DEFAULT 3,
                                        pause interval DEFAULT '5 minutes')
RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  SELECT count(*) FROM (
    SELECT FROM open_data_export_logs log
    WHERE open_data_is_pending(log, NULL, abandoned, attempts_max, pause)
    LIMIT wanted) AS pending
$$;

-- Which of these days the caller still has queued, just before their files are put in place. Claims
-- that are getting old are young again: three quarters of `abandoned` are left at least.
CREATE FUNCTION open_data_hold(claimed_by text, nodes bigint[], days date[],
                               abandoned interval DEFAULT '1 hour')
RETURNS TABLE (sensor_nodes_id bigint, day date)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp SET lock_timeout = '1min' AS $$
#variable_conflict use_column
BEGIN
  PERFORM open_data_lock(nodes, days);
  UPDATE open_data_export_logs log SET queued_on = clock_timestamp()
  FROM unnest(nodes, days) AS held (node, held_day)
  WHERE log.sensor_nodes_id = held.node AND log.day = held.held_day
    AND log.claim = claimed_by AND log.queued_on < clock_timestamp() - abandoned / 4;
  RETURN QUERY
    SELECT log.sensor_nodes_id, log.day
    FROM open_data_export_logs log JOIN unnest(nodes, days) AS held (node, held_day)
      ON log.sensor_nodes_id = held.node AND log.day = held.held_day
    WHERE log.claim = claimed_by AND log.queued_on IS NOT NULL;
END $$;

CREATE FUNCTION open_data_lock(nodes bigint[], days date[]) RETURNS void
LANGUAGE sql AS $$
  SELECT FROM open_data_export_logs log
  JOIN unnest(nodes, days) AS wanted (node, wanted_day)
    ON log.sensor_nodes_id = wanted.node AND log.day = wanted.wanted_day
  ORDER BY log.sensor_nodes_id, log.day
  FOR UPDATE OF log
$$;

-- The files of these days are in place. `seen` is the modified_on that the export read: where it is no
-- longer the row's, readings came meanwhile and the day stays pending (D3). Where the claim was lost
-- meanwhile, another export may have been overwritten, so the day is marked as modified: it is
-- exported once more. Returns the days that were still the caller's.
CREATE FUNCTION open_data_exported(claimed_by text, nodes bigint[], days date[], seen timestamptz[],
                                   keys text[], measurands_exported bigint[], described jsonb[])
RETURNS TABLE (sensor_nodes_id bigint, day date)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp SET lock_timeout = '1min' AS $$
#variable_conflict use_column
BEGIN
  PERFORM open_data_lock(nodes, days);
  UPDATE open_data_export_logs log
  SET modified_on = greatest(clock_timestamp(), log.modified_on + interval '1 microsecond',
                             log.exported_on + interval '1 microsecond')
  FROM unnest(nodes, days) AS done (node, done_day)
  WHERE log.sensor_nodes_id = done.node AND log.day = done.done_day
    AND (log.claim IS DISTINCT FROM claimed_by OR log.queued_on IS NULL);
  RETURN QUERY
    UPDATE open_data_export_logs log
    SET exported_on = CASE WHEN log.modified_on = done.seen
                           THEN greatest(clock_timestamp(), log.modified_on) ELSE done.seen END,
        queued_on = NULL, checked_on = clock_timestamp(), has_error = false, attempts = 0,
        version = log.version + 1, key = nullif(done.key, ''), measurands = done.measurands,
        metadata = done.described
    FROM unnest(nodes, days, seen, keys, measurands_exported, described)
      AS done (node, done_day, seen, key, measurands, described)
    WHERE log.sensor_nodes_id = done.node AND log.day = done.done_day
      AND log.claim = claimed_by AND log.queued_on IS NOT NULL
    RETURNING log.sensor_nodes_id, log.day;
END $$;

-- These days could not be exported. What was exported before stays described.
CREATE FUNCTION open_data_failed(claimed_by text, nodes bigint[], days date[],
                                 classifications text[], errors text[])
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp SET lock_timeout = '1min' AS $$
BEGIN
  PERFORM open_data_lock(nodes, days);
  UPDATE open_data_export_logs log
  SET queued_on = NULL, checked_on = clock_timestamp(), has_error = true,
      attempts = log.attempts + 1,
      metadata = log.metadata || jsonb_build_object('error', failed.error,
                                                    'classification', failed.classification)
  FROM unnest(nodes, days, classifications, errors)
    AS failed (node, failed_day, classification, error)
  WHERE log.sensor_nodes_id = failed.node AND log.day = failed.failed_day
    AND log.claim = claimed_by AND log.queued_on IS NOT NULL;
END $$;

-- Gives up what the caller has queued still. It waits for nobody: a day that an ingest has locked
-- returns like an abandoned one.
CREATE FUNCTION open_data_release(claimed_by text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  WITH free AS (
    SELECT log.sensor_nodes_id, log.day FROM open_data_export_logs log
    WHERE log.claim = claimed_by AND log.queued_on IS NOT NULL
    FOR UPDATE SKIP LOCKED
  ), released AS (
    UPDATE open_data_export_logs log SET queued_on = NULL FROM free
    WHERE log.sensor_nodes_id = free.sensor_nodes_id AND log.day = free.day RETURNING 1)
  SELECT count(*) FROM released
$$;

-- What the caller has exported, or failed to, since then, for an export that goes on after its process
-- died.
CREATE FUNCTION open_data_done(claimed_by text, since timestamptz)
RETURNS TABLE (sensor_nodes_id bigint, day date, key text, described jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  SELECT log.sensor_nodes_id, log.day, log.key, log.metadata FROM open_data_export_logs log
  WHERE log.claim = claimed_by AND log.queued_on IS NULL AND log.checked_on >= since
    AND (log.metadata->>'job' = claimed_by OR log.metadata ? 'error')
$$;
