-- The id of the key that the manifests of this state are signed with: at most one row.
CREATE TABLE signing_key (
  only_row bigint PRIMARY KEY CHECK (only_row = 1),
  id text COLLATE "C" NOT NULL CHECK (id <> '')
);
