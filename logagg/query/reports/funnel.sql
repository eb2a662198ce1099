-- How many visits went from page to page: of those that saw the first of $steps, those that saw the next one after it, and so on.
-- It reads requests, so it covers the time for which they are kept. A gap of more than $gap microseconds ends a visit, as in the lake.
WITH RECURSIVE events AS (
  SELECT
    visitor, site, is_bot, path, kind,
    row_number() OVER w AS o,
    coalesce(epoch_us(ts) - epoch_us(lag(ts) OVER w) > $gap::BIGINT, true) AS starts
  FROM requests
  WHERE kind IN ('pageview', 'click', 'conversion')
    AND ts >= coalesce($since::TIMESTAMPTZ, '-infinity') AND ts < coalesce($until::TIMESTAMPTZ, 'infinity')
    AND ($site::VARCHAR IS NULL OR site = $site) AND ($bots::BOOLEAN IS NULL OR is_bot = $bots)
  WINDOW w AS (PARTITION BY visitor, site, is_bot ORDER BY ts, source, position)
),
views AS (
  SELECT
    visitor, site, is_bot, path, kind, o,
    sum(starts::BIGINT) OVER (PARTITION BY visitor, site, is_bot ORDER BY o ROWS UNBOUNDED PRECEDING) AS n
  FROM events
),
pages AS (
  SELECT * FROM views
  WHERE kind = 'pageview' AND list_contains($steps::VARCHAR[], path)
),
reached AS (
  SELECT 1 AS step, visitor, site, is_bot, n, min(o) AS o
  FROM pages WHERE path = ($steps::VARCHAR[])[1] GROUP BY ALL
  UNION ALL
  SELECT step + 1, visitor, site, is_bot, n, min(pages.o)
  FROM reached JOIN pages USING (visitor, site, is_bot, n)
  WHERE pages.path = ($steps::VARCHAR[])[step + 1] AND pages.o > reached.o
  GROUP BY ALL
)
SELECT
  step, ($steps::VARCHAR[])[step] AS path,
  count(n) AS visits,
  count(DISTINCT visitor) AS visitors,
  round(count(n) / nullif(first_value(count(n)) OVER (ORDER BY step), 0), 4) AS of_first,
  round(count(n) / nullif(coalesce(lag(count(n)) OVER (ORDER BY step), count(n)), 0), 4) AS of_previous
FROM unnest(range(1, len($steps::VARCHAR[]) + 1)) AS steps (step) LEFT JOIN reached USING (step)
GROUP BY step
ORDER BY step
