-- The first chunks of a job that can be claimed, claimed. It is a function for its settings: the planner, which does
-- not know how many chunks of a young table can be claimed, would read and sort all of a job's for each claim. Along
-- the index it stops at the limit. Locked rows are in somebody's hands, so they are passed over.
CREATE FUNCTION claim_chunks(of_job bigint, above bigint, below bigint, most bigint, new_owner text, now bigint,
  until bigint) RETURNS SETOF chunks LANGUAGE sql
  SET search_path = spillway, pg_temp
  SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
  SET enable_hashjoin = off SET enable_mergejoin = off AS $$
  WITH due AS (
    SELECT job, chunk_index FROM chunks
    WHERE job = of_job AND chunk_index > above AND chunk_index < below AND result = ''
      AND ((state = 'pending' AND not_before <= now) OR (state = 'leased' AND lease_expires_at <= now))
    ORDER BY job, chunk_index LIMIT most FOR UPDATE SKIP LOCKED)
  UPDATE chunks c SET state = 'leased', lease_owner = new_owner, lease_token = c.lease_token + 1,
    lease_expires_at = until, attempts = c.attempts + 1
  FROM due WHERE c.job = due.job AND c.chunk_index = due.chunk_index
  RETURNING c.*
$$;
