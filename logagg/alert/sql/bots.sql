-- The share of requests by robots, by site.
SELECT site, coalesce(sum(hits) FILTER (is_bot), 0) / sum(hits) AS value, sum(hits)::BIGINT AS n
FROM traffic
WHERE ts >= $since
GROUP BY site
