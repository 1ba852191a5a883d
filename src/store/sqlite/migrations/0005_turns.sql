-- Groups take turns: messages go in the order of their turns, then of their ids. Messages used to name a chunk each;
-- they are hints, so those that wait are forgotten, and the rescuer sends new ones. Few messages are hidden, in
-- somebody's hands or until their time, so no index follows visible_at, and to receive a message writes none.
DELETE FROM messages;
ALTER TABLE messages ADD COLUMN turn INTEGER NOT NULL DEFAULT 1 CHECK (turn >= 1);

DROP INDEX messages_by_visibility;
CREATE INDEX messages_by_turn ON messages (turn);
CREATE INDEX messages_of_group ON messages (message_group, turn);
