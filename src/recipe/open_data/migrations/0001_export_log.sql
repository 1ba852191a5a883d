-- The export log: one row for each location and day that has, or had, readings (requirement D1).
--
-- A row is pending while exported_on is null or before modified_on. Whoever changes readings raises
-- modified_on in the same transaction; an export sets exported_on only if modified_on is still the
-- one that it read. So no change is lost, whenever it comes (docs/adr, "The change log's races").

CREATE TABLE open_data_export_logs (
  sensor_nodes_id bigint NOT NULL,
  day date NOT NULL,                      -- In the location's time zone.
  records bigint NOT NULL DEFAULT 0,      -- Readings there are.
  measurands bigint NOT NULL DEFAULT 0,   -- Parameters in the file that was exported last.
  added_on timestamptz NOT NULL DEFAULT clock_timestamp(),
  modified_on timestamptz NOT NULL DEFAULT clock_timestamp(),  -- Only ever grows.
  queued_on timestamptz,                  -- Somebody exports it since then; else null.
  exported_on timestamptz,
  has_error boolean NOT NULL DEFAULT false,
  key text,                               -- Of the file; null while there is none.
  version integer NOT NULL DEFAULT 0,     -- Exports that there were.
  checked_on timestamptz,                 -- When an export last looked at it.
  metadata jsonb NOT NULL DEFAULT '{}',   -- What was exported (files, job), or the error.
  claim text,                             -- Who queued it, or exported it last.
  attempts integer NOT NULL DEFAULT 0,    -- That failed since it was modified.
  UNIQUE (sensor_nodes_id, day),
  CHECK (queued_on IS NULL OR claim IS NOT NULL)
);

CREATE INDEX open_data_export_logs_pending ON open_data_export_logs (day, sensor_nodes_id)
  WHERE exported_on IS NULL OR modified_on > exported_on;
CREATE INDEX open_data_export_logs_queued ON open_data_export_logs (claim)
  WHERE queued_on IS NOT NULL;
