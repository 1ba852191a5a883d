-- A claim changes a chunk's state, and state stood in the index's predicate, so each claim wrote two indexes. An
-- unsucceeded chunk has no result (a CHECK), and only its settlement changes that.
DROP INDEX chunks_unsucceeded;
CREATE INDEX chunks_without_result ON chunks (job, chunk_index) WHERE result = '';
ALTER TABLE chunks SET (fillfactor = 60);  -- Room for the claimed row beside the one before.
