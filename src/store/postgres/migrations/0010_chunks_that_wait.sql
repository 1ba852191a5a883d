-- Chunks that wait for their time are passed over without being read: those that may be claimed come first, as a chunk is
-- leased only when its time has come. A claim writes no index still.
CREATE INDEX chunks_by_time ON chunks (job, not_before, chunk_index) WHERE result = '';

CREATE OR REPLACE FUNCTION claim_chunks(of_job bigint, above bigint, below bigint, most bigint, new_owner text, now bigint,
  until bigint) RETURNS SETOF chunks LANGUAGE sql
  SET search_path = spillway, pg_temp
  SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
  SET enable_hashjoin = off SET enable_mergejoin = off AS $$
  WITH due AS (
    SELECT job, chunk_index FROM chunks
    WHERE job = of_job AND not_before <= now AND chunk_index > above AND chunk_index < below AND result = ''
      AND (state = 'pending' OR (state = 'leased' AND lease_expires_at <= now))
    ORDER BY job, not_before, chunk_index LIMIT most FOR UPDATE SKIP LOCKED)
  UPDATE chunks c SET state = 'leased', lease_owner = new_owner, lease_token = c.lease_token + 1,
    lease_expires_at = until, attempts = c.attempts + 1, rows_done = 0, bytes_done = 0
  FROM due WHERE c.job = due.job AND c.chunk_index = due.chunk_index
  RETURNING c.*
$$;
