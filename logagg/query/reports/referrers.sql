-- The hosts of referring pages; "" means requests without a referrer.
SELECT
  site, referrer,
  sum(hits)::BIGINT AS hits,
  uniques(visitors) AS visitors,
  round(coalesce(sum(hits) FILTER (is_bot), 0) / sum(hits), 4) AS bots
FROM referrers
WHERE ts >= coalesce($since::TIMESTAMPTZ, '-infinity') AND ts < coalesce($until::TIMESTAMPTZ, 'infinity')
  AND ($site::VARCHAR IS NULL OR site = $site) AND ($bots::BOOLEAN IS NULL OR is_bot = $bots)
GROUP BY site, referrer
ORDER BY hits DESC, site, referrer
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
