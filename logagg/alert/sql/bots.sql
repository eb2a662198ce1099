-- The share of requests by robots, by site.
SELECT site, sum(hits) FILTER (is_bot) / sum(hits) AS value, sum(hits)::BIGINT AS n
FROM traffic
WHERE ts >= $since
GROUP BY site
