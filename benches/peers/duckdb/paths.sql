-- The five first of each customer in one aggregate, without sorting all rows.
SELECT path, count(*) AS journeys
FROM (SELECT min_by(kind, ts, 5) AS path FROM interactions GROUP BY customer)
GROUP BY path
ORDER BY journeys DESC, path
LIMIT 10
