-- Where schedules stand, and what became of jobs' files. Times are microseconds of UTC since 1970.

CREATE TABLE schedules (
  name TEXT NOT NULL PRIMARY KEY,
  settled_until INTEGER NOT NULL,
  last_tick INTEGER,
  last_job INTEGER REFERENCES jobs (number),
  CHECK ((last_tick IS NULL) = (last_job IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TRIGGER schedules_forward BEFORE UPDATE OF settled_until ON schedules
WHEN NEW.settled_until <= OLD.settled_until
BEGIN SELECT RAISE(ABORT, 'a schedule only moves forward'); END;

CREATE TRIGGER schedules_kept BEFORE DELETE ON schedules
BEGIN SELECT RAISE(ABORT, 'a schedule''s record is kept'); END;

ALTER TABLE jobs ADD COLUMN expiry_begun_at INTEGER
  CHECK (expiry_begun_at IS NULL OR state IN ('succeeded', 'failed', 'cancelled'));
ALTER TABLE jobs ADD COLUMN expiry_objects INTEGER NOT NULL DEFAULT 0 CHECK (expiry_objects >= 0);
ALTER TABLE jobs ADD COLUMN expiry_bytes INTEGER NOT NULL DEFAULT 0 CHECK (expiry_bytes >= 0);
ALTER TABLE jobs ADD COLUMN expiry_ended_at INTEGER
  CHECK (expiry_ended_at IS NULL OR expiry_begun_at IS NOT NULL);

CREATE INDEX jobs_unexpired ON jobs (export_name, state, finished_at)
  WHERE finished_at IS NOT NULL AND expiry_ended_at IS NULL;

-- All but its expiry is final in a final job.
DROP TRIGGER jobs_final;
CREATE TRIGGER jobs_final BEFORE UPDATE OF number, id, task_id, run, export_name, recipe, tenant, job_group,
  requested_by, state, phase, created_at, updated_at, started_at, finished_at, cancel_requested_at, cancel_actor,
  cancel_cause, chunks_total, chunks_succeeded, chunks_dead, planned, written, excluded, failed, bytes, attempts,
  failure_code, failure_message, failure_retryable, failure_retry_after_ms, lease_owner, lease_token,
  lease_expires_at ON jobs
WHEN OLD.state IN ('succeeded', 'cancelled') OR (OLD.state = 'failed' AND NEW.state <> 'pending')
BEGIN SELECT RAISE(ABORT, 'the job is final'); END;

CREATE TRIGGER jobs_expiry BEFORE UPDATE OF expiry_begun_at, expiry_objects, expiry_bytes, expiry_ended_at ON jobs
WHEN OLD.expiry_ended_at IS NOT NULL
  OR (OLD.expiry_begun_at IS NOT NULL
      AND (NEW.expiry_begun_at IS NULL OR NEW.expiry_objects <> OLD.expiry_objects
           OR NEW.expiry_bytes <> OLD.expiry_bytes))
BEGIN SELECT RAISE(ABORT, 'the job''s expiry is begun'); END;
