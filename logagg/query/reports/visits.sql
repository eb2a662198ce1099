-- Visits by where they came from; "" means that no page view or click of the visit came from elsewhere.
SELECT
  site, channel,
  sum(visits)::BIGINT AS visits,
  uniques(visitors) AS visitors,
  sum(new)::BIGINT AS new,
  round(sum(bounces) / sum(visits), 4) AS bounce_rate,
  round(sum(views) / sum(visits), 2) AS views_per_visit,
  round(sum(seconds) / sum(visits), 1) AS seconds_per_visit,
  sum(conversions)::BIGINT AS conversions,
  round(coalesce(sum(visits) FILTER (is_bot), 0) / sum(visits), 4) AS bots
FROM visits
WHERE ts >= coalesce($since::TIMESTAMPTZ, '-infinity') AND ts < coalesce($until::TIMESTAMPTZ, 'infinity')
  AND ($site::VARCHAR IS NULL OR site = $site) AND ($bots::BOOLEAN IS NULL OR is_bot = $bots)
GROUP BY site, channel
ORDER BY visits DESC, site, channel
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
