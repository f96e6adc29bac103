-- From the middle: the last ticket before a complaint, and the first review after it.
SELECT uniqExact(customer) AS customers
FROM (
    SELECT customer, kind, toUnixTimestamp64Milli(ts) AS t,
        maxIf(t, kind = 'ticket') OVER (PARTITION BY customer ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS ticket,
        minIf(t, kind = 'review') OVER (PARTITION BY customer ORDER BY ts ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS review
    FROM interactions
    WHERE kind IN ('ticket', 'complaint', 'review')
)
WHERE kind = 'complaint' AND t - ticket <= 604800000 AND review - t BETWEEN 0 AND 604800000
