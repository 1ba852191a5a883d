-- A chunk that had succeeded becomes dead when its staged bytes turn out to be lost before the job is decided. A redrive
-- then repeats it.
DROP TRIGGER chunks_state ON chunks;
CREATE TRIGGER chunks_state BEFORE UPDATE ON chunks FOR EACH ROW
  WHEN (NOT CASE OLD.state
    WHEN 'pending' THEN NEW.state IN ('pending', 'leased')
    WHEN 'leased' THEN true
    WHEN 'dead' THEN NEW.state = 'pending'
    ELSE NEW.state = 'dead'
  END)
  EXECUTE FUNCTION refuse('illegal change of a chunk''s state');
