  -- Hits of the window and of the same window in each of the eight weeks before, by site; a week before a site's first hit says nothing.
  weeks AS (SELECT unnest(range(0, 9)) AS back),
  counted AS (
    SELECT site, back, sum(hits) AS hits
    FROM traffic JOIN weeks ON ts >= $since - back * INTERVAL 7 DAY AND ts < $until - back * INTERVAL 7 DAY
    GROUP BY site, back
  ),
  sites AS (SELECT site, min(ts) AS first FROM traffic WHERE ts >= $since - 9 * INTERVAL 7 DAY GROUP BY site),
  compared AS (
    SELECT site, back, coalesce(hits, 0) AS hits
    FROM sites CROSS JOIN weeks LEFT JOIN counted USING (site, back)
    WHERE back = 0 OR first <= $since - back * INTERVAL 7 DAY
  ),
  -- Four weeks at least. The spread is that of the median (MAD, as a standard deviation), and at least a tenth of the usual.
  usual AS (
    SELECT site, median(hits) AS usual, greatest(1.4826 * mad(hits), median(hits) / 10) AS spread
    FROM compared WHERE back > 0 GROUP BY site HAVING count(*) >= 4
  )
