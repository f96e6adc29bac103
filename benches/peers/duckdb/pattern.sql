-- From the middle: the last ticket before a complaint, and the first review after it, in one pass of windows.
WITH reviewers AS (SELECT DISTINCT customer FROM interactions WHERE kind = 'review'),
around AS (
    SELECT customer, kind, ts,
        max(ts) FILTER (kind = 'ticket') OVER (PARTITION BY customer ORDER BY ts ROWS UNBOUNDED PRECEDING) AS ticket,
        min(ts) FILTER (kind = 'review')
            OVER (PARTITION BY customer ORDER BY ts ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS review
    FROM interactions SEMI JOIN reviewers USING (customer)
    WHERE kind IN ('ticket', 'complaint', 'review')
)
SELECT count(DISTINCT customer) AS customers
FROM around
WHERE kind = 'complaint' AND ts - ticket <= 604800000 AND review - ts <= 604800000
