-- By how many spreads the hits are above what is usual at this time of the week, by site.
WITH
{usual}
SELECT site, (hits - usual) / greatest(spread, 10) AS value, hits::BIGINT AS n, usual
FROM usual JOIN compared USING (site)
WHERE back = 0
