-- All requests at a glance, one row.
WITH
  chosen AS (
    FROM traffic WHERE ts >= coalesce($since::TIMESTAMPTZ, '-infinity') AND ts < coalesce($until::TIMESTAMPTZ, 'infinity')
    AND ($site::VARCHAR IS NULL OR site = $site) AND ($bots::BOOLEAN IS NULL OR is_bot = $bots)
  ),
  advertised AS (
    SELECT coalesce(sum(impressions), 0)::BIGINT AS impressions, coalesce(sum(clicks), 0)::BIGINT AS clicks,
      coalesce(sum(clicks_dup), 0)::BIGINT AS clicks_dup, coalesce(sum(conversions), 0)::BIGINT AS conversions
    FROM ads WHERE ts >= coalesce($since::TIMESTAMPTZ, '-infinity') AND ts < coalesce($until::TIMESTAMPTZ, 'infinity')
    AND ($site::VARCHAR IS NULL OR site = $site) AND ($bots::BOOLEAN IS NULL OR is_bot = $bots)
  ),
  minutes AS (SELECT ts, sum(hits) AS hits FROM chosen GROUP BY ts)
SELECT
  coalesce(sum(hits), 0)::BIGINT AS hits,
  coalesce(sum(hits) FILTER (kind = 'pageview'), 0)::BIGINT AS views,
  uniques(visitors) AS visitors,
  any_value(impressions) AS impressions,
  any_value(clicks) AS clicks,
  any_value(clicks_dup) AS clicks_dup,
  ctr(any_value(impressions), any_value(clicks)) AS ctr,
  any_value(conversions) AS conversions,
  round(coalesce(sum(hits) FILTER (is_bot), 0) / sum(hits), 4) AS bots,
  coalesce(sum(bytes), 0) AS bytes,
  coalesce(sum(hits) FILTER (status >= 400), 0)::BIGINT AS errors,
  (SELECT coalesce(sum(lines), 0)::BIGINT FROM rejects) AS rejects,
  min(ts) AS first,
  max(ts) AS last,
  (SELECT arg_max(ts, hits) FROM minutes) AS busiest,
  (SELECT max(hits)::BIGINT FROM minutes) AS busiest_hits
FROM advertised LEFT JOIN chosen ON true
