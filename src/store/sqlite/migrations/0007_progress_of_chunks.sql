-- How far the work on a chunk is, written when its lease is renewed; and from where another attempt can go on.
ALTER TABLE chunks ADD COLUMN rows_done INTEGER NOT NULL DEFAULT 0 CHECK (rows_done >= 0);
ALTER TABLE chunks ADD COLUMN bytes_done INTEGER NOT NULL DEFAULT 0 CHECK (bytes_done >= 0);
ALTER TABLE chunks ADD COLUMN position TEXT NOT NULL DEFAULT '';
