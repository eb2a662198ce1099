-- Robots by name and class, with the reason why each counts as a robot; "" is a robot without a name.
SELECT
  site, robot, robot_class, bot_reason,
  sum(hits)::BIGINT AS hits,
  uniques(visitors) AS visitors,
  sum(bytes) AS bytes
FROM robots
WHERE ts >= coalesce($since::TIMESTAMPTZ, '-infinity') AND ts < coalesce($until::TIMESTAMPTZ, 'infinity')
  AND ($site::VARCHAR IS NULL OR site = $site)
GROUP BY site, robot, robot_class, bot_reason
ORDER BY hits DESC, site, robot, robot_class, bot_reason
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
