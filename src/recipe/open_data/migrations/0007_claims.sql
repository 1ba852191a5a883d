-- Claims that no two exporters share, and that show whether their exporter lives (docs/adr/0020).
--
-- A claim is `<job>/<chunk>#<chance>!`. All attempts at a chunk have what stands before the `#` in common;
-- the chance is one attempt's. The `!` says that its session holds the advisory lock
-- (1399876727, hashtext(claim)) shared, from before it claims a day until it has given all back: where
-- nobody holds that, its session has ended. A claim without `!` came through a pooler, or from an exporter
-- of somebody's own; nobody can tell whether it lives.

ALTER TABLE open_data_export_logs
  ADD COLUMN putters text[] NOT NULL DEFAULT '{}';  -- Claims whose attempts may still put the day's files.
CREATE INDEX open_data_export_logs_putters ON open_data_export_logs (sensor_nodes_id, day)
  WHERE putters <> '{}';

-- Putters whose session has ended, and when somebody first saw that. Their process may live on.
CREATE TABLE open_data_lost_claims (
  claim text PRIMARY KEY,
  seen_on timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Those of the claims whose attempts are known to live.
CREATE FUNCTION open_data_living(claims text[]) RETURNS text[]
LANGUAGE sql VOLATILE AS $$
  SELECT coalesce(array_agg(claim), '{}') FROM unnest(claims) AS claim
  WHERE claim LIKE '%!' AND EXISTS (
    SELECT FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = 1399876727
      AND l.objid = (hashtext(claim)::bigint & 4294967295)::oid
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
$$;

-- Notes which putters' sessions have ended since the last look. Somebody who looks at the same time is
-- enough.
CREATE FUNCTION open_data_note_lost() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
DECLARE
  putting text[];
  living text[];
BEGIN
  IF NOT pg_try_advisory_xact_lock(1399876727, hashtext('@schema@ lost')) THEN
    RETURN;
  END IF;
  SELECT coalesce(array_agg(DISTINCT putter), '{}') INTO putting
  FROM open_data_export_logs log CROSS JOIN unnest(log.putters) AS putter
  WHERE log.putters <> '{}' AND putter LIKE '%!';
  living := open_data_living(putting);
  DELETE FROM open_data_lost_claims WHERE claim = ANY (living) OR claim <> ALL (putting);
  INSERT INTO open_data_lost_claims (claim)
  SELECT putter FROM unnest(putting) AS putter WHERE putter <> ALL (living)
  ON CONFLICT DO NOTHING;
END $$;

-- Those of the claims whose attempts may still put files: they live, or their session was first seen to
-- be gone less than `abandoned` ago, and a minute at least. Of a claim without `!` nothing is known.
CREATE FUNCTION open_data_putting(claims text[], abandoned interval) RETURNS text[]
LANGUAGE sql VOLATILE AS $$
  SELECT coalesce(array_agg(had.claim), '{}') FROM unnest(claims) AS had (claim)
  WHERE had.claim LIKE '%!' AND NOT EXISTS (
    SELECT FROM open_data_lost_claims lost WHERE lost.claim = had.claim
      AND lost.seen_on < clock_timestamp() - greatest(abandoned, interval '1 minute'))
$$;

-- Whether a day that `claim` has queued may be taken by `claimed_by`: its own, one that is older than
-- `abandoned`, one whose attempt is over for another attempt at its chunk at once and for everybody else
-- after a minute, since exporters outlive a short restart of the server.
CREATE FUNCTION open_data_is_free(claim text, queued_on timestamptz, claimed_by text, abandoned interval)
RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF claim = claimed_by OR queued_on < clock_timestamp() - abandoned THEN
    RETURN true;
  END IF;
  IF claim LIKE '%#%' AND split_part(claim, '#', 1) = split_part(claimed_by, '#', 1) THEN
    RETURN open_data_living(ARRAY[claim]) = '{}';
  END IF;
  RETURN claim LIKE '%!' AND queued_on < clock_timestamp() - interval '1 minute'
    AND open_data_living(ARRAY[claim]) = '{}';
END $$;

CREATE OR REPLACE FUNCTION open_data_is_pending(log open_data_export_logs, claimed_by text,
                                                abandoned interval, attempts_max integer, pause interval)
RETURNS boolean
LANGUAGE sql VOLATILE AS $$
  SELECT (log.exported_on IS NULL OR log.modified_on > log.exported_on)
    AND (log.queued_on IS NULL OR open_data_is_free(log.claim, log.queued_on, claimed_by, abandoned))
    AND (log.attempts = 0 OR log.claim = claimed_by AND log.queued_on IS NOT NULL
         OR log.attempts < attempts_max AND log.checked_on < clock_timestamp() - pause)
    -- No zone is further ahead; spares looking at each of today's.
    AND log.day < (clock_timestamp() AT TIME ZONE 'UTC' + interval '15 hours')::date
    AND open_data_is_over(log.sensor_nodes_id, log.day)
$$;

-- As before, and whoever claims is among the putters. Of those that were, they stay who may still put;
-- what the others have put stands there by now, and this claim's files come after it.
CREATE OR REPLACE FUNCTION get_pending(wanted integer DEFAULT 500, claimed_by text DEFAULT session_user,
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
  SET queued_on = clock_timestamp(), claim = claimed_by,
      putters = CASE WHEN log.putters <@ ARRAY[claimed_by] THEN ARRAY[claimed_by]
                     ELSE array_remove(open_data_putting(log.putters, abandoned), claimed_by) || claimed_by END
  FROM candidate
  WHERE log.sensor_nodes_id = candidate.sensor_nodes_id AND log.day = candidate.day
  RETURNING log.sensor_nodes_id, log.day
$$;

-- As before; what the caller has not queued any more, it will not put.
CREATE OR REPLACE FUNCTION open_data_hold(claimed_by text, nodes bigint[], days date[],
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
  UPDATE open_data_export_logs log SET putters = array_remove(log.putters, claimed_by)
  FROM unnest(nodes, days) AS held (node, held_day)
  WHERE log.sensor_nodes_id = held.node AND log.day = held.held_day
    AND claimed_by = ANY (log.putters) AND (log.claim <> claimed_by OR log.queued_on IS NULL);
  RETURN QUERY
    SELECT log.sensor_nodes_id, log.day
    FROM open_data_export_logs log JOIN unnest(nodes, days) AS held (node, held_day)
      ON log.sensor_nodes_id = held.node AND log.day = held.held_day
    WHERE log.claim = claimed_by AND log.queued_on IS NOT NULL;
END $$;

-- As modified: the day is exported once more.
CREATE FUNCTION open_data_once_more(modified_on timestamptz, exported_on timestamptz) RETURNS timestamptz
LANGUAGE sql VOLATILE AS $$
  SELECT greatest(clock_timestamp(), modified_on + interval '1 microsecond',
                  exported_on + interval '1 microsecond')
$$;

-- As before. While somebody else may still put older files of a day, it does not count as exported either.
CREATE OR REPLACE FUNCTION open_data_exported(claimed_by text, nodes bigint[], days date[],
                                              seen timestamptz[], keys text[],
                                              measurands_exported bigint[], described jsonb[])
RETURNS TABLE (sensor_nodes_id bigint, day date)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp SET lock_timeout = '1min' AS $$
#variable_conflict use_column
BEGIN
  PERFORM open_data_lock(nodes, days);
  UPDATE open_data_export_logs log
  SET modified_on = open_data_once_more(log.modified_on, log.exported_on),
      putters = array_remove(log.putters, claimed_by)
  FROM unnest(nodes, days) AS done (node, done_day)
  WHERE log.sensor_nodes_id = done.node AND log.day = done.done_day
    AND (log.claim IS DISTINCT FROM claimed_by OR log.queued_on IS NULL);
  RETURN QUERY
    UPDATE open_data_export_logs log
    SET modified_on = CASE WHEN log.putters <@ ARRAY[claimed_by] THEN log.modified_on
                           ELSE open_data_once_more(log.modified_on, log.exported_on) END,
        exported_on = CASE WHEN log.modified_on = done.seen AND log.putters <@ ARRAY[claimed_by]
                           THEN greatest(clock_timestamp(), log.modified_on) ELSE done.seen END,
        queued_on = NULL, checked_on = clock_timestamp(), has_error = false, attempts = 0,
        version = log.version + 1, key = nullif(done.key, ''), measurands = done.measurands,
        metadata = done.described, putters = array_remove(log.putters, claimed_by)
    FROM unnest(nodes, days, seen, keys, measurands_exported, described)
      AS done (node, done_day, seen, key, measurands, described)
    WHERE log.sensor_nodes_id = done.node AND log.day = done.done_day
      AND log.claim = claimed_by AND log.queued_on IS NOT NULL
    RETURNING log.sensor_nodes_id, log.day;
END $$;

-- As before. What was put of a day whose claim was lost may have replaced newer files.
CREATE OR REPLACE FUNCTION open_data_failed(claimed_by text, nodes bigint[], days date[],
                                            classifications text[], errors text[])
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp SET lock_timeout = '1min' AS $$
BEGIN
  PERFORM open_data_lock(nodes, days);
  UPDATE open_data_export_logs log
  SET modified_on = open_data_once_more(log.modified_on, log.exported_on),
      putters = array_remove(log.putters, claimed_by)
  FROM unnest(nodes, days) AS failed (node, failed_day)
  WHERE log.sensor_nodes_id = failed.node AND log.day = failed.failed_day
    AND claimed_by = ANY (log.putters) AND (log.claim <> claimed_by OR log.queued_on IS NULL);
  UPDATE open_data_export_logs log
  SET queued_on = NULL, checked_on = clock_timestamp(), has_error = true,
      attempts = log.attempts + 1, putters = array_remove(log.putters, claimed_by),
      metadata = log.metadata || jsonb_build_object('error', failed.error,
                                                    'classification', failed.classification)
  FROM unnest(nodes, days, classifications, errors)
    AS failed (node, failed_day, classification, error)
  WHERE log.sensor_nodes_id = failed.node AND log.day = failed.failed_day
    AND log.claim = claimed_by AND log.queued_on IS NOT NULL;
END $$;

-- Of an exporter that lost its session between asking and recording: what it put of days that somebody
-- else has claimed since may have replaced newer files. It puts nothing more of these days. Returns those
-- that somebody has locked, of which nothing is noted; the caller stays among their putters.
CREATE FUNCTION open_data_unsure(claimed_by text, nodes bigint[], days date[])
RETURNS TABLE (sensor_nodes_id bigint, day date)
LANGUAGE sql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  WITH free AS (
    SELECT log.sensor_nodes_id, log.day
    FROM open_data_export_logs log JOIN unnest(nodes, days) AS put (node, put_day)
      ON log.sensor_nodes_id = put.node AND log.day = put.put_day
    FOR UPDATE OF log SKIP LOCKED
  ), marked AS (
    UPDATE open_data_export_logs log
    SET modified_on = CASE WHEN log.claim = claimed_by THEN log.modified_on
                           ELSE open_data_once_more(log.modified_on, log.exported_on) END,
        putters = array_remove(log.putters, claimed_by)
    FROM free WHERE log.sensor_nodes_id = free.sensor_nodes_id AND log.day = free.day
  )
  SELECT log.sensor_nodes_id, log.day
  FROM open_data_export_logs log JOIN unnest(nodes, days) AS put (node, put_day)
    ON log.sensor_nodes_id = put.node AND log.day = put.put_day
  WHERE (log.sensor_nodes_id, log.day) NOT IN (SELECT free.sensor_nodes_id, free.day FROM free)
$$;

CREATE OR REPLACE FUNCTION open_data_release(claimed_by text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  WITH free AS (
    SELECT log.sensor_nodes_id, log.day FROM open_data_export_logs log
    WHERE log.claim = claimed_by AND log.queued_on IS NOT NULL
    FOR UPDATE SKIP LOCKED
  ), released AS (
    UPDATE open_data_export_logs log
    SET queued_on = NULL, putters = array_remove(log.putters, claimed_by) FROM free
    WHERE log.sensor_nodes_id = free.sensor_nodes_id AND log.day = free.day RETURNING 1)
  SELECT count(*) FROM released
$$;

-- What the attempts at the caller's chunk have exported, or failed to, since then.
CREATE OR REPLACE FUNCTION open_data_done(claimed_by text, since timestamptz)
RETURNS TABLE (sensor_nodes_id bigint, day date, key text, described jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  SELECT log.sensor_nodes_id, log.day, log.key, log.metadata FROM open_data_export_logs log
  WHERE split_part(log.claim, '#', 1) = split_part(claimed_by, '#', 1)
    AND log.queued_on IS NULL AND log.checked_on >= since
    AND (split_part(log.metadata->>'job', '#', 1) = split_part(claimed_by, '#', 1)
         OR log.metadata ? 'error')
$$;

-- How many files there are of days that have no readings any more, and wait for their export: what it
-- would remove. Counts to the end of the day that reaches `wanted`.
CREATE FUNCTION open_data_count_emptied(wanted bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  SELECT coalesce(sum(files), 0)::bigint FROM (
    SELECT greatest(coalesce(jsonb_array_length(log.metadata->'files'), 0), 1) AS files
    FROM open_data_export_logs log
    WHERE log.records <= 0 AND log.key IS NOT NULL
      AND (log.exported_on IS NULL OR log.modified_on > log.exported_on)
    LIMIT wanted) AS emptied
$$;

-- How many files of empty days each job was let remove.
CREATE TABLE open_data_removals (
  job text PRIMARY KEY,
  files bigint NOT NULL,
  since timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Whether the caller's job may remove so many more, and `most` in all; if so, they are counted. For where
-- the log did not know that days are empty, so that open_data_count_emptied did not see them coming.
CREATE FUNCTION open_data_let_remove(claimed_by text, wanted bigint, most bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
BEGIN
  DELETE FROM open_data_removals WHERE since < clock_timestamp() - interval '30 days';
  INSERT INTO open_data_removals AS had (job, files)
  SELECT split_part(claimed_by, '/', 1), wanted WHERE wanted <= most
  ON CONFLICT (job) DO UPDATE SET files = had.files + excluded.files
  WHERE had.files + excluded.files <= most;
  RETURN FOUND;
END $$;

REVOKE EXECUTE ON FUNCTION open_data_count_emptied(bigint), open_data_let_remove(text, bigint, bigint),
  open_data_note_lost(),
  open_data_unsure(text, bigint[], date[]) FROM PUBLIC;
