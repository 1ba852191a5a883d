-- A chunk that had succeeded becomes dead when its staged bytes turn out to be lost before the job is decided. A redrive
-- then repeats it.
DROP TRIGGER chunks_state;
CREATE TRIGGER chunks_state BEFORE UPDATE ON chunks
WHEN NOT CASE OLD.state
    WHEN 'pending' THEN NEW.state IN ('pending', 'leased')
    WHEN 'leased' THEN 1
    WHEN 'dead' THEN NEW.state = 'pending'
    ELSE NEW.state = 'dead'
  END
BEGIN SELECT RAISE(ABORT, 'illegal change of a chunk''s state'); END;
