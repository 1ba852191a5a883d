-- No table changes, but older programs misread what is written from here on: parameters whose values are not to be shown
-- ("concealed"), and attempts, which are counted from where the position of a chunk moved last.
COMMENT ON COLUMN chunks.attempts IS 'since the position moved last';
