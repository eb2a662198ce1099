-- The countries that requests came from; "" means that neither the log nor a database has the country.
SELECT
  site, country,
  sum(hits)::BIGINT AS hits,
  uniques(visitors) AS visitors,
  sum(bytes) AS bytes,
  round(coalesce(sum(hits) FILTER (is_bot), 0) / sum(hits), 4) AS bots
FROM countries
WHERE ts >= coalesce($since::TIMESTAMPTZ, '-infinity') AND ts < coalesce($until::TIMESTAMPTZ, 'infinity')
  AND ($site::VARCHAR IS NULL OR site = $site) AND ($bots::BOOLEAN IS NULL OR is_bot = $bots)
GROUP BY site, country
ORDER BY hits DESC, site, country
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
