-- Which ads and channels brought conversions, by a model. Conversions that several touches share count in parts, to the millionth;
-- robots and orders that came twice are invalid. Rows without a campaign and a channel are conversions without a touch.
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
