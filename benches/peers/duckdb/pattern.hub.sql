-- Joins would pair all reviews with all complaints of the longest journey. Instead the last ticket before and
-- the first review after a complaint are found by windows.
WITH around AS (
    SELECT customer, kind, ts,
        max(ts) FILTER (kind = 'ticket') OVER (PARTITION BY customer ORDER BY ts ROWS UNBOUNDED PRECEDING) AS ticket,
        min(ts) FILTER (kind = 'review')
            OVER (PARTITION BY customer ORDER BY ts ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS review
    FROM interactions
    WHERE kind IN ('ticket', 'complaint', 'review')
)
SELECT count(DISTINCT customer) AS customers
FROM around
WHERE kind = 'complaint' AND ts - ticket <= 604800000 AND review - ts <= 604800000
