-- Where visitors come from: entries by channel, source, medium and campaign. It reads requests, so it covers the time for which they are kept.
SELECT
  site, channel, referrer_source AS source, medium, campaign,
  count(*) AS entries,
  count(DISTINCT visitor) AS visitors,
  round(count(*) FILTER (is_bot) / count(*), 4) AS bots
FROM requests
WHERE channel IS NOT NULL
  AND ts >= coalesce($since::TIMESTAMPTZ, '-infinity') AND ts < coalesce($until::TIMESTAMPTZ, 'infinity')
  AND ($site::VARCHAR IS NULL OR site = $site) AND ($bots::BOOLEAN IS NULL OR is_bot = $bots)
GROUP BY site, channel, referrer_source, medium, campaign
ORDER BY entries DESC, site, channel, referrer_source, medium, campaign
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
