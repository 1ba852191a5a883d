-- Hints that there is work. AUTOINCREMENT: a handle names an id that is never given again.
CREATE TABLE messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  message_group TEXT NOT NULL,
  body TEXT NOT NULL,
  visible_at INTEGER NOT NULL,
  receive_count INTEGER NOT NULL DEFAULT 0 CHECK (receive_count >= 0)
) STRICT;

CREATE INDEX messages_by_visibility ON messages (visible_at, id);
