-- Days in time zones. PostgreSQL's own arithmetic decides which day an instant has; days of 23 and 25
-- hours, and zones that change at midnight, follow from it.

-- The zone, or null for a name that is none. PostgreSQL takes CET and its like for abbreviations, of
-- a fixed offset, where others know zones with summer time: they are none here.
CREATE FUNCTION open_data_zone(zone text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
  PERFORM now() AT TIME ZONE zone;
  IF zone LIKE '%/%' OR upper(zone) IN ('UTC', 'GMT') THEN
    RETURN zone;
  END IF;
  RETURN (SELECT zone WHERE upper(zone) NOT IN (SELECT abbrev FROM pg_timezone_abbrevs));
EXCEPTION WHEN invalid_parameter_value THEN
  RETURN NULL;
END $$;

-- The day of a reading.
CREATE FUNCTION open_data_day(at timestamptz, zone text, ending boolean) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ((CASE WHEN ending THEN at - interval '1 microsecond' ELSE at END) AT TIME ZONE zone)::date
$$;

-- The instants that a day spans: all its readings are in [first, last], and where is_exact, no other
-- day's are. Around a change of the zone's offset the span is widened by three hours on either side,
-- for there a day may begin at no midnight, or end twice; open_data_day then decides.
CREATE FUNCTION open_data_span(day date, zone text, ending boolean)
RETURNS TABLE (first timestamptz, last timestamptz, is_exact boolean)  -- One row; so it can be inlined.
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  WITH midnight AS (
    SELECT day::timestamp AS opens, (day + 1)::timestamp AS closes, interval '3 hours' AS margin
  ), instant AS (
    SELECT *, opens AT TIME ZONE zone AS opens_at, closes AT TIME ZONE zone AS closes_at FROM midnight
  ), looked AS (
    SELECT *,
      (opens_at - margin) AT TIME ZONE zone = opens - margin
        AND (opens_at + margin) AT TIME ZONE zone = opens + margin AS opens_plainly,
      (closes_at - margin) AT TIME ZONE zone = closes - margin
        AND (closes_at + margin) AT TIME ZONE zone = closes + margin AS closes_plainly
    FROM instant
  )
  SELECT
    opens_at - CASE WHEN opens_plainly THEN interval '0' ELSE margin END
      + CASE WHEN ending THEN interval '1 microsecond' ELSE interval '0' END,
    closes_at + CASE WHEN closes_plainly THEN interval '0' ELSE margin END
      - CASE WHEN ending THEN interval '0' ELSE interval '1 microsecond' END,
    opens_plainly AND closes_plainly
  FROM looked
$$;
