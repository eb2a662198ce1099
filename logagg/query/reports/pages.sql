-- The pages most viewed.
SELECT
  site, path,
  sum(views)::BIGINT AS views,
  uniques(visitors) AS visitors,
  sum(clicks)::BIGINT AS clicks,
  sum(errors)::BIGINT AS errors,
  sum(bytes) AS bytes,
  round(coalesce(sum(views) FILTER (is_bot), 0) / nullif(sum(views), 0), 4) AS bots
FROM pages
WHERE ts >= coalesce($since::TIMESTAMPTZ, '-infinity') AND ts < coalesce($until::TIMESTAMPTZ, 'infinity')
  AND ($site::VARCHAR IS NULL OR site = $site) AND ($bots::BOOLEAN IS NULL OR is_bot = $bots)
GROUP BY site, path
ORDER BY views DESC, clicks DESC, errors DESC, site, path
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
