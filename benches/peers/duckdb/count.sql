-- A scan of a column of bytes; no index of DuckDB helps where so many rows are found.
SELECT count(*) AS customers
FROM (SELECT customer FROM interactions WHERE topic = 'business account' GROUP BY customer HAVING count(*) >= 3)
