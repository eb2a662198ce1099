-- Impressions, clicks and conversions by ad. ctr is null without impressions.
SELECT
  site, campaign, ad, placement,
  sum(impressions)::BIGINT AS impressions,
  sum(clicks)::BIGINT AS clicks,
  sum(clicks_dup)::BIGINT AS clicks_dup,
  ctr(sum(impressions), sum(clicks)) AS ctr,
  sum(conversions)::BIGINT AS conversions,
  uniques(visitors) AS visitors,
  round(coalesce(sum(impressions) FILTER (is_bot), 0) / nullif(sum(impressions), 0), 4) AS bots
FROM ads
WHERE ts >= coalesce($since::TIMESTAMPTZ, '-infinity') AND ts < coalesce($until::TIMESTAMPTZ, 'infinity')
  AND ($site::VARCHAR IS NULL OR site = $site) AND ($bots::BOOLEAN IS NULL OR is_bot = $bots)
GROUP BY site, campaign, ad, placement
ORDER BY impressions DESC, clicks DESC, site, campaign, ad, placement
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
