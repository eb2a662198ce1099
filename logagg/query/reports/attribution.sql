-- Conversions by the ads and channels that a model credits. A conversion of several touches is divided among them, in millionths;
-- conversions of robots and repeated orders are invalid. Rows without a campaign and a channel are conversions without a touch.
SELECT
  site, campaign, ad, placement, channel,
  round(coalesce(sum(credit) FILTER (invalid = ''), 0) / 1e6, 6) AS conversions,
  currency,
  round(sum(credit::HUGEINT * value_micros) FILTER (invalid = '') / 1e12, 6) AS value,
  round(coalesce(sum(credit) FILTER (invalid = '' AND via = 'click_id'), 0) / 1e6, 6) AS by_id,
  round(coalesce(sum(credit) FILTER (invalid = '' AND via = 'view'), 0) / 1e6, 6) AS by_view,
  round(sum(credit) / 1e6, 6) AS gross,
  round(coalesce(sum(credit) FILTER (invalid <> ''), 0) / 1e6, 6) AS invalid
FROM credits(coalesce($model::VARCHAR, 'last_non_direct'))
WHERE ts >= coalesce($since::TIMESTAMPTZ, '-infinity') AND ts < coalesce($until::TIMESTAMPTZ, 'infinity')
  AND ($site::VARCHAR IS NULL OR site = $site) AND ($bots::BOOLEAN IS NULL OR is_bot = $bots)
GROUP BY site, campaign, ad, placement, channel, currency
HAVING sum(credit) > 0
ORDER BY conversions DESC, gross DESC, site, campaign, ad, placement, channel, currency
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
