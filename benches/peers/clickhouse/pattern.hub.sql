-- Arrays would be searched for every complaint, which is quadratic in the longest journey. Instead the last ticket,
-- and the last complaint soon after one, are carried along.
SELECT uniqExact(customer) AS customers
FROM (
    SELECT customer, kind, t, maxIf(t, kind = 'complaint' AND t - ticket <= 604800000)
        OVER (PARTITION BY customer ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS complaint
    FROM (
        SELECT customer, kind, ts, toUnixTimestamp64Milli(ts) AS t, maxIf(t, kind = 'ticket')
            OVER (PARTITION BY customer ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS ticket
        FROM interactions
        WHERE kind IN ('ticket', 'complaint', 'review')
    )
)
WHERE kind = 'review' AND t - complaint <= 604800000
