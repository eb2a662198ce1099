-- The seconds within which 95% of requests were served, by site; of logs that have times.
SELECT site, latency_p(0.95, bucket, hits) AS value, sum(hits)::BIGINT AS n
FROM latency
WHERE ts >= $since
GROUP BY site
