-- Jobs, their history and their chunks. Times are microseconds of UTC since 1970.
-- What may not happen is refused here as well as in code: CHECKs tie states to their fields,
-- triggers carry the table of engine/state_machine.h.

CREATE TABLE jobs (
  number INTEGER PRIMARY KEY,  -- Grows: the order of admission within a group.
  id TEXT NOT NULL UNIQUE,
  task_id TEXT NOT NULL,
  run INTEGER NOT NULL CHECK (run >= 1),
  export_name TEXT NOT NULL,
  recipe TEXT NOT NULL,
  tenant TEXT NOT NULL,
  job_group TEXT NOT NULL,
  requested_by TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'processing', 'succeeded', 'failed', 'cancelled')),
  phase TEXT NOT NULL CHECK (phase IN ('initializing', 'discovering', 'processing', 'finalizing', 'completed')),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  cancel_requested_at INTEGER,
  cancel_actor TEXT NOT NULL DEFAULT '',
  cancel_cause TEXT NOT NULL DEFAULT '',
  chunks_total INTEGER NOT NULL DEFAULT 0 CHECK (chunks_total >= 0),
  chunks_succeeded INTEGER NOT NULL DEFAULT 0 CHECK (chunks_succeeded >= 0),
  chunks_dead INTEGER NOT NULL DEFAULT 0 CHECK (chunks_dead >= 0),
  planned INTEGER NOT NULL DEFAULT 0 CHECK (planned >= 0),
  written INTEGER NOT NULL DEFAULT 0 CHECK (written >= 0),
  excluded INTEGER NOT NULL DEFAULT 0 CHECK (excluded >= 0),
  failed INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
  bytes INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
  attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  failure_code TEXT,
  failure_message TEXT NOT NULL DEFAULT '',
  failure_retryable INTEGER NOT NULL DEFAULT 0 CHECK (failure_retryable IN (0, 1)),
  failure_retry_after_ms INTEGER,
  lease_owner TEXT NOT NULL DEFAULT '',
  lease_token INTEGER NOT NULL DEFAULT 0 CHECK (lease_token >= 0),
  lease_expires_at INTEGER NOT NULL DEFAULT 0,

  UNIQUE (task_id, run),
  CHECK ((finished_at IS NOT NULL) = (state IN ('succeeded', 'failed', 'cancelled'))),
  CHECK (state <> 'pending' OR started_at IS NULL),
  CHECK (state <> 'processing' OR started_at IS NOT NULL),
  CHECK (lease_owner = '' OR state = 'processing'),
  CHECK (chunks_succeeded + chunks_dead <= chunks_total),
  -- The completion contract.
  CHECK (phase NOT IN ('finalizing', 'completed') OR chunks_succeeded + chunks_dead = chunks_total),
  CHECK (phase <> 'completed' OR planned = written + excluded + failed),
  CHECK (state <> 'succeeded' OR phase = 'completed'),
  CHECK (state <> 'succeeded' OR failure_code IS NULL),
  CHECK (state <> 'failed' OR failure_code IS NOT NULL),
  -- A cancellation and the commit point exclude each other.
  CHECK (state <> 'cancelled' OR cancel_requested_at IS NOT NULL),
  CHECK (phase <> 'completed' OR cancel_requested_at IS NULL),
  CHECK (state <> 'failed' OR cancel_requested_at IS NULL)
) STRICT;

CREATE INDEX jobs_pending ON jobs (job_group, number) WHERE state = 'pending';
CREATE INDEX jobs_processing ON jobs (job_group) WHERE state = 'processing';
CREATE INDEX jobs_newest ON jobs (created_at, id);
CREATE INDEX jobs_newest_of_export ON jobs (export_name, created_at, id);
CREATE INDEX jobs_newest_of_tenant ON jobs (tenant, created_at, id);
CREATE INDEX jobs_newest_of_state ON jobs (state, created_at, id);

-- What may be long stands apart from the counters that every settlement writes.
CREATE TABLE job_documents (
  job INTEGER PRIMARY KEY REFERENCES jobs (number),
  parameters TEXT NOT NULL,
  plan TEXT NOT NULL DEFAULT '',
  outcome TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE transitions (
  job INTEGER NOT NULL REFERENCES jobs (number),
  sequence INTEGER NOT NULL CHECK (sequence >= 1),
  from_state TEXT,
  to_state TEXT NOT NULL,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  cause TEXT NOT NULL,
  PRIMARY KEY (job, sequence),
  CHECK ((sequence = 1) = (from_state IS NULL)),
  CHECK (CASE from_state
           WHEN 'pending' THEN to_state IN ('processing', 'cancelled')
           WHEN 'processing' THEN to_state IN ('succeeded', 'failed', 'cancelled')
           WHEN 'failed' THEN to_state = 'pending'
           ELSE from_state IS NULL AND to_state = 'pending'
         END)
) STRICT, WITHOUT ROWID;

CREATE TABLE chunks (
  job INTEGER NOT NULL REFERENCES jobs (number),
  chunk_index INTEGER NOT NULL CHECK (chunk_index >= 0),
  state TEXT NOT NULL CHECK (state IN ('pending', 'leased', 'succeeded', 'dead')),
  planned INTEGER NOT NULL CHECK (planned >= 0),
  attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  not_before INTEGER NOT NULL DEFAULT 0,
  failure_code TEXT,
  failure_message TEXT NOT NULL DEFAULT '',
  failure_retryable INTEGER NOT NULL DEFAULT 0 CHECK (failure_retryable IN (0, 1)),
  failure_retry_after_ms INTEGER,
  lease_owner TEXT NOT NULL DEFAULT '',
  lease_token INTEGER NOT NULL DEFAULT 0 CHECK (lease_token >= 0),
  lease_expires_at INTEGER NOT NULL DEFAULT 0,
  spec TEXT NOT NULL,
  result TEXT NOT NULL DEFAULT '',

  UNIQUE (job, chunk_index),
  CHECK ((state = 'leased') = (lease_owner <> '')),
  CHECK (state = 'succeeded' OR result = ''),
  CHECK (state <> 'dead' OR failure_code IS NOT NULL)
) STRICT;

CREATE INDEX chunks_unsucceeded ON chunks (job, state, chunk_index) WHERE state <> 'succeeded';

CREATE TRIGGER jobs_start_pending BEFORE INSERT ON jobs
WHEN NEW.state <> 'pending' OR NEW.phase <> 'initializing'
BEGIN SELECT RAISE(ABORT, 'a job starts pending and initializing'); END;

CREATE TRIGGER jobs_final BEFORE UPDATE ON jobs
WHEN OLD.state IN ('succeeded', 'cancelled') OR (OLD.state = 'failed' AND NEW.state <> 'pending')
BEGIN SELECT RAISE(ABORT, 'the job is final'); END;

CREATE TRIGGER jobs_state BEFORE UPDATE OF state ON jobs
WHEN NEW.state <> OLD.state AND NOT CASE OLD.state
    WHEN 'pending' THEN NEW.state IN ('processing', 'cancelled')
    WHEN 'processing' THEN NEW.state IN ('succeeded', 'failed', 'cancelled')
    WHEN 'failed' THEN NEW.state = 'pending'
    ELSE 0
  END
BEGIN SELECT RAISE(ABORT, 'illegal change of a job''s state'); END;

CREATE TRIGGER jobs_phase BEFORE UPDATE OF phase ON jobs
WHEN instr('initializing discovering processing finalizing completed', NEW.phase)
       < instr('initializing discovering processing finalizing completed', OLD.phase)
  AND NOT (OLD.state = 'failed' AND NEW.state = 'pending')
BEGIN SELECT RAISE(ABORT, 'a job''s phase only moves forward'); END;

CREATE TRIGGER jobs_decided BEFORE UPDATE OF phase ON jobs
WHEN OLD.phase = 'completed' AND NEW.phase <> 'completed'
BEGIN SELECT RAISE(ABORT, 'the job''s outcome is decided'); END;

CREATE TRIGGER jobs_identity BEFORE UPDATE OF number, id, task_id, run, export_name, recipe, tenant, job_group,
  requested_by, created_at ON jobs
BEGIN SELECT RAISE(ABORT, 'a job''s request never changes'); END;

CREATE TRIGGER jobs_token BEFORE UPDATE OF lease_token ON jobs
WHEN NEW.lease_token < OLD.lease_token
BEGIN SELECT RAISE(ABORT, 'fencing tokens only grow'); END;

CREATE TRIGGER jobs_kept BEFORE DELETE ON jobs
BEGIN SELECT RAISE(ABORT, 'a job''s record is kept'); END;

CREATE TRIGGER job_documents_final BEFORE UPDATE ON job_documents
WHEN (SELECT state FROM jobs WHERE number = OLD.job) IN ('succeeded', 'cancelled')
BEGIN SELECT RAISE(ABORT, 'the job is final'); END;

CREATE TRIGGER job_documents_kept BEFORE DELETE ON job_documents
BEGIN SELECT RAISE(ABORT, 'a job''s record is kept'); END;

CREATE TRIGGER transitions_unchanged BEFORE UPDATE ON transitions
BEGIN SELECT RAISE(ABORT, 'history only grows'); END;

CREATE TRIGGER transitions_kept BEFORE DELETE ON transitions
BEGIN SELECT RAISE(ABORT, 'history only grows'); END;

CREATE TRIGGER chunks_start_pending BEFORE INSERT ON chunks
WHEN NEW.state <> 'pending'
BEGIN SELECT RAISE(ABORT, 'a chunk starts pending'); END;

CREATE TRIGGER chunks_state BEFORE UPDATE ON chunks
WHEN NOT CASE OLD.state
    WHEN 'pending' THEN NEW.state IN ('pending', 'leased')
    WHEN 'leased' THEN 1
    WHEN 'dead' THEN NEW.state = 'pending'
    ELSE 0
  END
BEGIN SELECT RAISE(ABORT, 'illegal change of a chunk''s state'); END;

CREATE TRIGGER chunks_token BEFORE UPDATE OF lease_token ON chunks
WHEN NEW.lease_token < OLD.lease_token
BEGIN SELECT RAISE(ABORT, 'fencing tokens only grow'); END;

CREATE TRIGGER chunks_kept BEFORE DELETE ON chunks
WHEN OLD.state = 'succeeded'
BEGIN SELECT RAISE(ABORT, 'a succeeded chunk is kept'); END;
