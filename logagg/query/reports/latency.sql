-- Seconds to serve a request, by path: the quantiles are upper-middle values of buckets one percent wide.
WITH
  chosen AS (
    SELECT site, path, bucket, sum(hits) AS hits, sum(seconds) AS seconds
    FROM latency
    WHERE ts >= coalesce($since::TIMESTAMPTZ, '-infinity') AND ts < coalesce($until::TIMESTAMPTZ, 'infinity')
      AND ($site::VARCHAR IS NULL OR site = $site)
      AND ($bots::BOOLEAN IS NULL OR is_bot = $bots)
    GROUP BY site, path, bucket
  ),
  ranked AS (
    SELECT *, sum(hits) OVER (PARTITION BY site, path ORDER BY bucket) AS upto,
      sum(hits) OVER (PARTITION BY site, path) AS total
    FROM chosen
  )
SELECT
  site, path,
  any_value(total)::BIGINT AS hits,
  sum(seconds) / any_value(total) AS mean,
  latency_seconds(min(bucket) FILTER (upto / total >= 0.50)) AS p50,
  latency_seconds(min(bucket) FILTER (upto / total >= 0.90)) AS p90,
  latency_seconds(min(bucket) FILTER (upto / total >= 0.95)) AS p95,
  latency_seconds(min(bucket) FILTER (upto / total >= 0.99)) AS p99
FROM ranked
GROUP BY site, path
ORDER BY hits DESC, site, path
LIMIT coalesce($limit::BIGINT, 9223372036854775807)
