-- The networks that requests came from, with the class and the organization of each.
SELECT
  site, network, asn, organization,
  sum(hits)::BIGINT AS hits,
  uniques(visitors) AS visitors,
  sum(bytes) AS bytes,
  round(coalesce(sum(hits) FILTER (is_bot), 0) / sum(hits), 4) AS bots
FROM networks
WHERE ts >= coalesce($since::TIMESTAMPTZ, '-infinity') AND ts < coalesce($until::TIMESTAMPTZ, 'infinity')
  AND ($site::VARCHAR IS NULL OR site = $site) AND ($bots::BOOLEAN IS NULL OR is_bot = $bots)
GROUP BY site, network, asn, organization
ORDER BY hits DESC, site, network, asn, organization
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
