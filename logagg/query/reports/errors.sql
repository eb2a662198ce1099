-- Requests with a status of 400 or more.
SELECT
  site, path, status,
  sum(hits)::BIGINT AS hits,
  round(coalesce(sum(hits) FILTER (is_bot), 0) / sum(hits), 4) AS bots,
  min(ts) AS first,
  max(ts) AS last
FROM errors
WHERE ts >= coalesce($since::TIMESTAMPTZ, '-infinity') AND ts < coalesce($until::TIMESTAMPTZ, 'infinity')
  AND ($site::VARCHAR IS NULL OR site = $site) AND ($bots::BOOLEAN IS NULL OR is_bot = $bots)
GROUP BY site, path, status
ORDER BY hits DESC, site, path, status
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
