-- The share of requests that the server failed at (5xx), by site.
SELECT site, coalesce(sum(hits) FILTER (status >= 500), 0) / sum(hits) AS value, sum(hits)::BIGINT AS n
FROM traffic
WHERE ts >= $since
GROUP BY site
