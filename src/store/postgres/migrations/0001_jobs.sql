-- Jobs, their history and their chunks, schedules and messages: the tables of SQLite's migrations, as PostgreSQL says
-- them. Times are microseconds of UTC since 1970. What may not happen is refused here as well as in code: CHECKs tie
-- states to their fields, triggers carry the table of engine/state_machine.h.

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION USING MESSAGE = TG_ARGV[0], ERRCODE = 'integrity_constraint_violation'; END $$;

CREATE TABLE jobs (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- Grows: the order of admission within a group.
  id text COLLATE "C" NOT NULL UNIQUE,
  task_id text COLLATE "C" NOT NULL,
  run bigint NOT NULL CHECK (run >= 1),
  export_name text COLLATE "C" NOT NULL,
  recipe text NOT NULL,
  tenant text COLLATE "C" NOT NULL,
  job_group text COLLATE "C" NOT NULL,
  requested_by text NOT NULL,
  state text COLLATE "C" NOT NULL CHECK (state IN ('pending', 'processing', 'succeeded', 'failed', 'cancelled')),
  phase text COLLATE "C" NOT NULL
    CHECK (phase IN ('initializing', 'discovering', 'processing', 'finalizing', 'completed')),
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  started_at bigint,
  finished_at bigint,
  cancel_requested_at bigint,
  cancel_actor text NOT NULL DEFAULT '',
  cancel_cause text NOT NULL DEFAULT '',
  chunks_total bigint NOT NULL DEFAULT 0 CHECK (chunks_total >= 0),
  chunks_succeeded bigint NOT NULL DEFAULT 0 CHECK (chunks_succeeded >= 0),
  chunks_dead bigint NOT NULL DEFAULT 0 CHECK (chunks_dead >= 0),
  planned bigint NOT NULL DEFAULT 0 CHECK (planned >= 0),
  written bigint NOT NULL DEFAULT 0 CHECK (written >= 0),
  excluded bigint NOT NULL DEFAULT 0 CHECK (excluded >= 0),
  failed bigint NOT NULL DEFAULT 0 CHECK (failed >= 0),
  bytes bigint NOT NULL DEFAULT 0 CHECK (bytes >= 0),
  attempts bigint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  failure_code text,
  failure_message text NOT NULL DEFAULT '',
  failure_retryable bigint NOT NULL DEFAULT 0 CHECK (failure_retryable IN (0, 1)),
  failure_retry_after_ms bigint,
  lease_owner text NOT NULL DEFAULT '',
  lease_token bigint NOT NULL DEFAULT 0 CHECK (lease_token >= 0),
  lease_expires_at bigint NOT NULL DEFAULT 0,
  expiry_begun_at bigint CHECK (expiry_begun_at IS NULL OR state IN ('succeeded', 'failed', 'cancelled')),
  expiry_objects bigint NOT NULL DEFAULT 0 CHECK (expiry_objects >= 0),
  expiry_bytes bigint NOT NULL DEFAULT 0 CHECK (expiry_bytes >= 0),
  expiry_ended_at bigint CHECK (expiry_ended_at IS NULL OR expiry_begun_at IS NOT NULL),

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
) WITH (fillfactor = 50);  -- Room for the sums, which every settlement writes.

CREATE INDEX jobs_pending ON jobs (job_group, number) WHERE state = 'pending';
CREATE INDEX jobs_processing ON jobs (job_group) WHERE state = 'processing';
CREATE INDEX jobs_newest ON jobs (created_at, id);
CREATE INDEX jobs_newest_of_export ON jobs (export_name, created_at, id);
CREATE INDEX jobs_newest_of_tenant ON jobs (tenant, created_at, id);
CREATE INDEX jobs_newest_of_state ON jobs (state, created_at, id);
CREATE INDEX jobs_unexpired ON jobs (export_name, state, finished_at)
  WHERE finished_at IS NOT NULL AND expiry_ended_at IS NULL;

-- What may be long stands apart from the counters that every settlement writes.
CREATE TABLE job_documents (
  job bigint PRIMARY KEY REFERENCES jobs (number),
  parameters text NOT NULL,
  plan text NOT NULL DEFAULT '',
  outcome text NOT NULL DEFAULT ''
);

CREATE TABLE transitions (
  job bigint NOT NULL REFERENCES jobs (number),
  sequence bigint NOT NULL CHECK (sequence >= 1),
  from_state text,
  to_state text NOT NULL,
  at bigint NOT NULL,
  actor text NOT NULL,
  cause text NOT NULL,
  PRIMARY KEY (job, sequence),
  CHECK ((sequence = 1) = (from_state IS NULL)),
  CHECK (CASE from_state
           WHEN 'pending' THEN to_state IN ('processing', 'cancelled')
           WHEN 'processing' THEN to_state IN ('succeeded', 'failed', 'cancelled')
           WHEN 'failed' THEN to_state = 'pending'
           ELSE from_state IS NULL AND to_state = 'pending'
         END)
);

CREATE TABLE chunks (
  job bigint NOT NULL REFERENCES jobs (number),
  chunk_index bigint NOT NULL CHECK (chunk_index >= 0),
  state text COLLATE "C" NOT NULL CHECK (state IN ('pending', 'leased', 'succeeded', 'dead')),
  planned bigint NOT NULL CHECK (planned >= 0),
  attempts bigint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  not_before bigint NOT NULL DEFAULT 0,
  failure_code text,
  failure_message text NOT NULL DEFAULT '',
  failure_retryable bigint NOT NULL DEFAULT 0 CHECK (failure_retryable IN (0, 1)),
  failure_retry_after_ms bigint,
  lease_owner text NOT NULL DEFAULT '',
  lease_token bigint NOT NULL DEFAULT 0 CHECK (lease_token >= 0),
  lease_expires_at bigint NOT NULL DEFAULT 0,
  spec text NOT NULL,
  result text NOT NULL DEFAULT '',

  PRIMARY KEY (job, chunk_index),
  CHECK ((state = 'leased') = (lease_owner <> '')),
  CHECK (state = 'succeeded' OR result = ''),
  CHECK (state <> 'dead' OR failure_code IS NOT NULL)
);

CREATE INDEX chunks_unsucceeded ON chunks (job, chunk_index) WHERE state <> 'succeeded';

CREATE TABLE schedules (
  name text COLLATE "C" PRIMARY KEY,
  settled_until bigint NOT NULL,
  last_tick bigint,
  last_job bigint REFERENCES jobs (number),
  CHECK ((last_tick IS NULL) = (last_job IS NULL))
);

-- Hints that there is work. Any bytes may be in them; a handle names an id that is never given again.
CREATE TABLE messages (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message_group bytea NOT NULL,
  body bytea NOT NULL,
  visible_at bigint NOT NULL,
  receive_count bigint NOT NULL DEFAULT 0 CHECK (receive_count >= 0)
);

CREATE INDEX messages_by_visibility ON messages (visible_at, id);

CREATE TRIGGER jobs_start_pending BEFORE INSERT ON jobs FOR EACH ROW
  WHEN (NEW.state <> 'pending' OR NEW.phase <> 'initializing')
  EXECUTE FUNCTION refuse('a job starts pending and initializing');

-- All but its expiry is final in a final job.
CREATE TRIGGER jobs_final BEFORE UPDATE OF number, id, task_id, run, export_name, recipe, tenant, job_group,
  requested_by, state, phase, created_at, updated_at, started_at, finished_at, cancel_requested_at, cancel_actor,
  cancel_cause, chunks_total, chunks_succeeded, chunks_dead, planned, written, excluded, failed, bytes, attempts,
  failure_code, failure_message, failure_retryable, failure_retry_after_ms, lease_owner, lease_token,
  lease_expires_at ON jobs FOR EACH ROW
  WHEN (OLD.state IN ('succeeded', 'cancelled') OR (OLD.state = 'failed' AND NEW.state <> 'pending'))
  EXECUTE FUNCTION refuse('the job is final');

CREATE TRIGGER jobs_state BEFORE UPDATE OF state ON jobs FOR EACH ROW
  WHEN (NEW.state <> OLD.state AND NOT CASE OLD.state
    WHEN 'pending' THEN NEW.state IN ('processing', 'cancelled')
    WHEN 'processing' THEN NEW.state IN ('succeeded', 'failed', 'cancelled')
    WHEN 'failed' THEN NEW.state = 'pending'
    ELSE false
  END)
  EXECUTE FUNCTION refuse('illegal change of a job''s state');

CREATE TRIGGER jobs_phase BEFORE UPDATE OF phase ON jobs FOR EACH ROW
  WHEN (strpos('initializing discovering processing finalizing completed', NEW.phase)
          < strpos('initializing discovering processing finalizing completed', OLD.phase)
        AND NOT (OLD.state = 'failed' AND NEW.state = 'pending'))
  EXECUTE FUNCTION refuse('a job''s phase only moves forward');

CREATE TRIGGER jobs_decided BEFORE UPDATE OF phase ON jobs FOR EACH ROW
  WHEN (OLD.phase = 'completed' AND NEW.phase <> 'completed')
  EXECUTE FUNCTION refuse('the job''s outcome is decided');

CREATE TRIGGER jobs_identity BEFORE UPDATE OF id, task_id, run, export_name, recipe, tenant, job_group, requested_by,
  created_at ON jobs FOR EACH ROW
  EXECUTE FUNCTION refuse('a job''s request never changes');

CREATE TRIGGER jobs_token BEFORE UPDATE OF lease_token ON jobs FOR EACH ROW
  WHEN (NEW.lease_token < OLD.lease_token)
  EXECUTE FUNCTION refuse('fencing tokens only grow');

CREATE TRIGGER jobs_expiry BEFORE UPDATE OF expiry_begun_at, expiry_objects, expiry_bytes, expiry_ended_at ON jobs
  FOR EACH ROW
  WHEN (OLD.expiry_ended_at IS NOT NULL
        OR (OLD.expiry_begun_at IS NOT NULL
            AND (NEW.expiry_begun_at IS NULL OR NEW.expiry_objects <> OLD.expiry_objects
                 OR NEW.expiry_bytes <> OLD.expiry_bytes)))
  EXECUTE FUNCTION refuse('the job''s expiry is begun');

CREATE TRIGGER jobs_kept BEFORE DELETE ON jobs FOR EACH ROW
  EXECUTE FUNCTION refuse('a job''s record is kept');

CREATE FUNCTION refuse_in_final_job() RETURNS trigger LANGUAGE plpgsql SET search_path = spillway, pg_temp AS $$
BEGIN
  IF (SELECT state FROM jobs WHERE number = OLD.job) IN ('succeeded', 'cancelled') THEN
    RAISE EXCEPTION 'the job is final' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER job_documents_final BEFORE UPDATE ON job_documents FOR EACH ROW
  EXECUTE FUNCTION refuse_in_final_job();

CREATE TRIGGER job_documents_kept BEFORE DELETE ON job_documents FOR EACH ROW
  EXECUTE FUNCTION refuse('a job''s record is kept');

CREATE TRIGGER transitions_unchanged BEFORE UPDATE OR DELETE ON transitions FOR EACH ROW
  EXECUTE FUNCTION refuse('history only grows');

CREATE TRIGGER chunks_start_pending BEFORE INSERT ON chunks FOR EACH ROW
  WHEN (NEW.state <> 'pending')
  EXECUTE FUNCTION refuse('a chunk starts pending');

CREATE TRIGGER chunks_state BEFORE UPDATE ON chunks FOR EACH ROW
  WHEN (NOT CASE OLD.state
    WHEN 'pending' THEN NEW.state IN ('pending', 'leased')
    WHEN 'leased' THEN true
    WHEN 'dead' THEN NEW.state = 'pending'
    ELSE false
  END)
  EXECUTE FUNCTION refuse('illegal change of a chunk''s state');

CREATE TRIGGER chunks_token BEFORE UPDATE OF lease_token ON chunks FOR EACH ROW
  WHEN (NEW.lease_token < OLD.lease_token)
  EXECUTE FUNCTION refuse('fencing tokens only grow');

CREATE TRIGGER chunks_kept BEFORE DELETE ON chunks FOR EACH ROW
  WHEN (OLD.state = 'succeeded')
  EXECUTE FUNCTION refuse('a succeeded chunk is kept');

CREATE TRIGGER schedules_forward BEFORE UPDATE OF settled_until ON schedules FOR EACH ROW
  WHEN (NEW.settled_until <= OLD.settled_until)
  EXECUTE FUNCTION refuse('a schedule only moves forward');

CREATE TRIGGER schedules_kept BEFORE DELETE ON schedules FOR EACH ROW
  EXECUTE FUNCTION refuse('a schedule''s record is kept');
