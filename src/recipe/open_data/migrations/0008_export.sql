-- The side of the exporter. Every function is one short transaction; rows that another exporter or an
-- ingest has locked are passed over, or waited for in one order (location, day), for a minute.

-- Claims that no two exporters share, and that show whether their exporter lives (docs/adr/0020).
--
-- A claim is `<job>/<chunk>#<chance>!`. All attempts at a chunk have what stands before the `#` in common;
-- the chance is one attempt's. The `!` says that its session holds the advisory lock
-- (1399876727, hashtext(claim)) shared, from before it claims a day until it has given all back: where
-- nobody holds that, its session has ended. A claim without `!` came through a pooler, or from an exporter
-- of somebody's own; nobody can tell whether it lives.

ALTER TABLE open_data_export_logs
  ADD COLUMN putters text[] NOT NULL DEFAULT '{}',  -- Claims whose attempts may still put the day's files.
  ADD COLUMN doubted_on timestamptz;  -- The modified_on of an export that one of them may yet overwrite.
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

-- As exporters speak of a day: 2024-01-31, or 0044-03-15 BC.
CREATE FUNCTION open_data_day_text(day date) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT to_char(day, 'YYYY-MM-DD') || CASE WHEN day < '0001-01-01' THEN ' BC' ELSE '' END
$$;

-- D2. Whether the caller may take a day now: it has changed since its export, is over in its location's
-- zone, and is free. What was exported while somebody might yet overwrite it waits until he cannot any
-- more, and is then exported once more. If it did not wait, it would hold up all other days. A day that
-- failed is tried again after `pause`, `attempts_max` times in all. The planner puts it in the place of its
-- call, where it is rechecked once the row is locked.
CREATE OR REPLACE FUNCTION open_data_is_pending(log open_data_export_logs, claimed_by text,
                                                abandoned interval, attempts_max integer, pause interval)
RETURNS boolean
LANGUAGE sql VOLATILE AS $$
  SELECT (log.exported_on IS NULL OR log.modified_on > log.exported_on)
    AND (log.queued_on IS NULL OR open_data_is_free(log.claim, log.queued_on, claimed_by, abandoned))
    AND (log.attempts = 0 OR log.claim = claimed_by AND log.queued_on IS NOT NULL
         OR log.attempts < attempts_max AND log.checked_on < clock_timestamp() - pause)
    AND (log.modified_on IS DISTINCT FROM log.doubted_on OR open_data_putting(log.putters, abandoned) = '{}')
    -- Where files would go, a recount is waited for.
    AND (log.records > 0 OR log.key IS NULL OR NOT open_data_is_recounting())
    -- No zone is further ahead; spares looking at each of today's.
    AND log.day < (clock_timestamp() AT TIME ZONE 'UTC' + interval '15 hours')::date
    AND open_data_is_over(log.sensor_nodes_id, log.day)
$$;

-- Marks up to `wanted` pending days as queued and returns them, oldest first. Days that an export
-- looked at since `untouched_since` are left out: so an export takes none twice.
--
-- Whoever claims is among the putters. Of those that were, they stay who may still put; what the others
-- have put stands there by now, and this claim's files come after it.
--
-- Whoever names himself gets again what he has queued already, as after a restart. A call without a name
-- queues days as the session's role, and gets none that somebody has queued, itself included.
CREATE OR REPLACE FUNCTION get_pending(wanted integer DEFAULT 500, claimed_by text DEFAULT NULL,
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
  SET queued_on = clock_timestamp(), claim = name,
      putters = CASE WHEN log.putters <@ ARRAY[name] THEN ARRAY[name]
                     ELSE array_remove(open_data_putting(log.putters, abandoned), name) || name END
  FROM candidate, coalesce(claimed_by, session_user::text) AS name
  WHERE log.sensor_nodes_id = candidate.sensor_nodes_id AND log.day = candidate.day
  RETURNING log.sensor_nodes_id, log.day
$$;

-- How many days get_pending would find, up to a limit.
CREATE OR REPLACE FUNCTION open_data_count_pending(wanted bigint, abandoned interval DEFAULT '1 hour',
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
-- What the caller has not queued any more, it will not put.
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

-- The files of these days are in place. `seen` is the modified_on that the export read: where it is no
-- longer the row's, readings came meanwhile and the day stays pending (D3). Where the claim was lost
-- meanwhile, another export may have been overwritten, so the day is marked as modified: it is
-- exported once more. While somebody else may still put older files of a day, it does not
-- count as exported either. Returns the days that were still the caller's.
CREATE OR REPLACE FUNCTION open_data_exported(claimed_by text, nodes bigint[], days date[],
                                              seen timestamptz[], keys text[],
                                              measurands_exported bigint[], described jsonb[])
RETURNS TABLE (sensor_nodes_id bigint, day date)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp SET lock_timeout = '1min' AS $$
#variable_conflict use_column
DECLARE
  now timestamptz;
BEGIN
  PERFORM open_data_lock(nodes, days);
  now := clock_timestamp();
  UPDATE open_data_export_logs log
  SET modified_on = open_data_once_more(log.modified_on, log.exported_on, now),
      putters = array_remove(log.putters, claimed_by)
  FROM unnest(nodes, days) AS done (node, done_day)
  WHERE log.sensor_nodes_id = done.node AND log.day = done.done_day
    AND (log.claim IS DISTINCT FROM claimed_by OR log.queued_on IS NULL);
  RETURN QUERY
    UPDATE open_data_export_logs log
    SET modified_on = CASE WHEN log.putters <@ ARRAY[claimed_by] THEN log.modified_on
                           ELSE open_data_once_more(log.modified_on, log.exported_on, now) END,
        doubted_on = CASE WHEN log.modified_on = done.seen AND NOT log.putters <@ ARRAY[claimed_by]
                          THEN open_data_once_more(log.modified_on, log.exported_on, now) END,
        exported_on = CASE WHEN log.modified_on = done.seen AND log.putters <@ ARRAY[claimed_by]
                           THEN greatest(now, log.modified_on) ELSE done.seen END,
        queued_on = NULL, checked_on = clock_timestamp(), has_error = false, attempts = 0,
        version = log.version + 1, key = nullif(done.key, ''), measurands = done.measurands,
        metadata = done.described, putters = array_remove(log.putters, claimed_by)
    FROM unnest(nodes, days, seen, keys, measurands_exported, described)
      AS done (node, done_day, seen, key, measurands, described)
    WHERE log.sensor_nodes_id = done.node AND log.day = done.done_day
      AND log.claim = claimed_by AND log.queued_on IS NOT NULL
    RETURNING log.sensor_nodes_id, log.day;
END $$;

-- These days could not be exported. What was exported before stays described.
-- What was put of a day whose claim was lost may have replaced newer files.
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

-- Gives up what the caller has queued still. It waits for nobody: a day that an ingest has locked
-- returns like an abandoned one.
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

-- How many files there are of days that have no readings any more and wait for their export: what it would
-- remove. Looks whether each day that waits has a reading, as the log may have counted wrong.
CREATE FUNCTION open_data_look_for_emptied() RETURNS bigint
LANGUAGE sql STABLE AS $$
  WITH bound AS MATERIALIZED (
    SELECT day_bound = 'time_ending' AS ending FROM @schema@.open_data_settings
  ), waiting AS MATERIALIZED (
    SELECT log.sensor_nodes_id AS node, log.day,
           greatest(coalesce(jsonb_array_length(log.metadata->'files'), 0), 1) AS files
    FROM @schema@.open_data_export_logs log
    WHERE log.key IS NOT NULL AND (log.exported_on IS NULL OR log.modified_on > log.exported_on)
  ), with_readings AS MATERIALIZED (
    SELECT DISTINCT waiting.node, waiting.day
    FROM bound CROSS JOIN waiting
    JOIN @schema@.open_data_homes(ARRAY(SELECT DISTINCT node FROM waiting)) AS home
      ON home.sensor_nodes_id = waiting.node
    CROSS JOIN LATERAL @schema@.open_data_span(waiting.day, home.zone, bound.ending) AS span
    CROSS JOIN LATERAL (
      SELECT FROM @schema@.open_data_measurements m
      WHERE m.sensors_id = home.sensors_id AND m.datetime BETWEEN span.first AND span.last
        AND (span.is_exact OR @schema@.open_data_day(m.datetime, home.zone, bound.ending) = waiting.day)
      LIMIT 1) AS had
  )
  SELECT coalesce(sum(files), 0)::bigint FROM waiting LEFT JOIN with_readings USING (node, day)
  WHERE with_readings.node IS NULL
$$;

-- Jobs that met empty days with files.
CREATE TABLE open_data_removing (
  job text PRIMARY KEY,
  waiting bigint,  -- The files that would go with all days that waited when it met the first.
  since timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- The files of empty days that a job was let remove; once, however many attempts it takes.
CREATE TABLE open_data_removals (
  job text REFERENCES open_data_removing ON DELETE CASCADE,
  sensor_nodes_id bigint,
  day date,
  files bigint NOT NULL,
  PRIMARY KEY (job, sensor_nodes_id, day)
);

-- Whether the caller's job may remove so many files of each of these days, which have no readings any more;
-- if so, they are counted. Answers
--   'let': it may;
--   'too many': the job would remove more than `most`, or would have with all days that waited when it met
--     its first: nobody removes a part of what is too much;
--   'recount': a recount has not come to its end, until which nobody knows how many wait.
CREATE FUNCTION open_data_let_remove(claimed_by text, nodes bigint[], days date[], wanted bigint[],
                                     most bigint)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp
SET plan_cache_mode = force_custom_plan SET jit = off AS $$
DECLARE
  of_job CONSTANT text := split_part(claimed_by, '/', 1);
  had open_data_removing;
  removed bigint;
BEGIN
  IF open_data_is_recounting() THEN
    RETURN 'recount';
  END IF;
  DELETE FROM open_data_removing WHERE since < clock_timestamp() - interval '30 days';
  INSERT INTO open_data_removing (job) VALUES (of_job) ON CONFLICT DO NOTHING;
  SELECT * INTO had FROM open_data_removing WHERE job = of_job FOR UPDATE;
  IF had.waiting IS NULL THEN
    had.waiting := open_data_look_for_emptied();
    UPDATE open_data_removing SET waiting = had.waiting WHERE job = of_job;
  END IF;
  SELECT sum(most_of_day) INTO removed FROM (
    SELECT max(files) AS most_of_day FROM (
      SELECT * FROM unnest(nodes, days, wanted) AS more (sensor_nodes_id, day, files)
      UNION ALL
      SELECT sensor_nodes_id, day, files FROM open_data_removals WHERE job = of_job) AS every
    GROUP BY sensor_nodes_id, day) AS once;
  IF removed > most OR had.waiting > most THEN
    RETURN 'too many';
  END IF;
  INSERT INTO open_data_removals AS let
  SELECT of_job, node, removed_day, files FROM unnest(nodes, days, wanted) AS more (node, removed_day, files)
  ON CONFLICT (job, sensor_nodes_id, day) DO UPDATE SET files = greatest(let.files, excluded.files);
  RETURN 'let';
END $$;
