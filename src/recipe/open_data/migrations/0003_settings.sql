-- How a reading finds its day. time_ending: a reading at midnight ends the day before it, so that a
-- day is (00:00, 24:00]; time_beginning: a day is [00:00, 24:00).
CREATE TABLE open_data_settings (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),  -- There is one row.
  day_bound text NOT NULL DEFAULT 'time_ending' CHECK (day_bound IN ('time_ending', 'time_beginning'))
);
INSERT INTO open_data_settings DEFAULT VALUES;
