-- The pages on which visits began.
SELECT
  site, entry AS path,
  sum(visits)::BIGINT AS visits,
  uniques(visitors) AS visitors,
  round(sum(bounces) / sum(visits), 4) AS bounce_rate,
  round(sum(views) / sum(visits), 2) AS views_per_visit,
  sum(conversions)::BIGINT AS conversions,
  round(coalesce(sum(visits) FILTER (is_bot), 0) / sum(visits), 4) AS bots
FROM visits
WHERE ts >= coalesce($since::TIMESTAMPTZ, '-infinity') AND ts < coalesce($until::TIMESTAMPTZ, 'infinity')
  AND ($site::VARCHAR IS NULL OR site = $site) AND ($bots::BOOLEAN IS NULL OR is_bot = $bots) AND entry <> ''
GROUP BY site, entry
ORDER BY visits DESC, site, path
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
