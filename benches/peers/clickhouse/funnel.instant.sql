-- As funnel.sql, where all times are one: the place decides what comes after what, and every gap is 0.
SELECT depth AS step, sum(n) OVER (ORDER BY depth DESC) AS reached
FROM (
    SELECT depth, count() AS n
    FROM (
        SELECT windowFunnel(1000000000000)(
            place, stage = 'awareness', stage = 'consideration', stage = 'purchase',
            stage = 'onboarding', stage = 'retention', stage = 'advocacy') AS depth
        FROM interactions
        GROUP BY customer
    )
    WHERE depth > 0
    GROUP BY depth
)
ORDER BY step
SETTINGS optimize_aggregation_in_order = 1
