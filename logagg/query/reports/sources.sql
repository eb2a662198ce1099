-- The logs, and their positions.
WITH refused AS (SELECT source, sum(lines) AS lines FROM rejects GROUP BY source)
SELECT
  any_value(path) AS path,
  min(position)::BIGINT AS position,
  max(size)::BIGINT AS size,
  any_value(compression) AS compression,
  sum(sources.lines)::BIGINT AS lines,
  coalesce(any_value(refused.lines), 0)::BIGINT AS rejects,
  CASE WHEN any_value(compression) = '' THEN greatest(max(size) - min(position), 0)::BIGINT END AS lag,
  bool_and(finished) AS finished,
  any_value(format) AS format,
  any_value(note) AS note,
  any_value(nul_bytes) AS nul_bytes
FROM sources LEFT JOIN refused USING (source)
GROUP BY source
ORDER BY path, source
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
