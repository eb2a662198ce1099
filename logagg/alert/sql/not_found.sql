-- The share of requests for what is not there (404, 410), by site.
SELECT site, coalesce(sum(hits) FILTER (status IN (404, 410)), 0) / sum(hits) AS value, sum(hits)::BIGINT AS n
FROM traffic
WHERE ts >= $since
GROUP BY site
