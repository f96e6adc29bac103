-- What windowFunnel was made for. It takes whole numbers as times, and the window in the same unit.
SELECT depth AS step, sum(n) OVER (ORDER BY depth DESC) AS reached
FROM (
    SELECT depth, count() AS n
    FROM (
        SELECT windowFunnel(7776000000)(
            toUInt64(toUnixTimestamp64Milli(ts)), stage = 'awareness', stage = 'consideration', stage = 'purchase',
            stage = 'onboarding', stage = 'retention', stage = 'advocacy') AS depth
        FROM interactions
        GROUP BY customer
    )
    WHERE depth > 0
    GROUP BY depth
)
ORDER BY step
SETTINGS optimize_aggregation_in_order = 1
