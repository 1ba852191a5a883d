-- Chunks that wait for their time are passed over without being read: those that may be claimed come first. As before, a
-- chunk that has not succeeded stands in one index, so this costs no write.
DROP INDEX chunks_unsucceeded;
CREATE INDEX chunks_pending ON chunks (job, not_before, chunk_index) WHERE state = 'pending';
CREATE INDEX chunks_leased_or_dead ON chunks (job, state, chunk_index)
  WHERE state <> 'succeeded' AND state <> 'pending';
