-- The id of the key that the manifests of this state are signed with: at most one row.
CREATE TABLE signing_key (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  id TEXT NOT NULL CHECK (id <> '')
) STRICT;
