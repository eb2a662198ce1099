-- The hits as a share of what is usual at this time of the week, by site; n: the hits that there are even on a bad day.
WITH
{usual}
SELECT site, hits / nullif(usual, 0) AS value, usual - 3 * spread AS n, usual
FROM usual JOIN compared USING (site)
WHERE back = 0
