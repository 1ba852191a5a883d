-- What a job's plan reckons to read, in bytes: who comes next within a group is decided by it.
ALTER TABLE jobs ADD COLUMN bytes_planned INTEGER NOT NULL DEFAULT 0 CHECK (bytes_planned >= 0);

CREATE INDEX jobs_pending_of_tenant ON jobs (job_group, tenant, number) WHERE state = 'pending';

DROP TRIGGER jobs_final;
CREATE TRIGGER jobs_final BEFORE UPDATE OF number, id, task_id, run, export_name, recipe, tenant, job_group,
  requested_by, state, phase, created_at, updated_at, started_at, finished_at, cancel_requested_at, cancel_actor,
  cancel_cause, bytes_planned, chunks_total, chunks_succeeded, chunks_dead, planned, written, excluded, failed, bytes,
  attempts, failure_code, failure_message, failure_retryable, failure_retry_after_ms, lease_owner, lease_token,
  lease_expires_at ON jobs
WHEN OLD.state IN ('succeeded', 'cancelled') OR (OLD.state = 'failed' AND NEW.state <> 'pending')
BEGIN SELECT RAISE(ABORT, 'the job is final'); END;
