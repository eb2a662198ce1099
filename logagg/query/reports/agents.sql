-- Browsers, operating systems and devices of requests.
SELECT
  browser, os, device, is_bot,
  sum(hits)::BIGINT AS hits,
  uniques(visitors) AS visitors
FROM agents
WHERE ts >= coalesce($since::TIMESTAMPTZ, '-infinity') AND ts < coalesce($until::TIMESTAMPTZ, 'infinity')
  AND ($site::VARCHAR IS NULL OR site = $site)
  AND ($bots::BOOLEAN IS NULL OR is_bot = $bots)
GROUP BY browser, os, device, is_bot
ORDER BY hits DESC, browser, os, device, is_bot
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
