-- Lists would be searched from every start, which is quadratic in the longest journey. Instead the latest start
-- from which each step was reached is carried along: running maxima over the sorted table, which stream. A moment
-- is customer and time in one number, so that a start of another customer is always too long ago.
WITH
moments AS (SELECT stage, (customer::BIGINT << 38) + ts - (SELECT min(ts) FROM interactions) AS m FROM interactions),
s1 AS (SELECT stage, m, max(CASE WHEN stage = 'awareness' THEN m END) OVER (ROWS UNBOUNDED PRECEDING) AS l1 FROM moments),
s2 AS (
    SELECT stage, m, l1, max(CASE WHEN stage = 'consideration' THEN l1 END) OVER (ROWS UNBOUNDED PRECEDING) AS l2
    FROM s1
    WHERE m - l1 <= 7776000000
),
s3 AS (
    SELECT *, max(CASE WHEN stage = 'purchase' AND m - l2 <= 7776000000 THEN l2 END)
        OVER (ROWS UNBOUNDED PRECEDING) AS l3
    FROM s2
),
s4 AS (
    SELECT *, max(CASE WHEN stage = 'onboarding' AND m - l3 <= 7776000000 THEN l3 END)
        OVER (ROWS UNBOUNDED PRECEDING) AS l4
    FROM s3
),
s5 AS (
    SELECT *, max(CASE WHEN stage = 'retention' AND m - l4 <= 7776000000 THEN l4 END)
        OVER (ROWS UNBOUNDED PRECEDING) AS l5
    FROM s4
),
depths AS (
    SELECT max(CASE
        WHEN stage = 'advocacy' AND m - l5 <= 7776000000 THEN 6
        WHEN stage = 'retention' AND m - l4 <= 7776000000 THEN 5
        WHEN stage = 'onboarding' AND m - l3 <= 7776000000 THEN 4
        WHEN stage = 'purchase' AND m - l2 <= 7776000000 THEN 3
        WHEN stage = 'consideration' THEN 2
        ELSE 1 END) AS depth
    FROM s5
    GROUP BY m >> 38
)
SELECT step, count(*) FILTER (depth >= step) AS reached
FROM depths, range(1, 7) AS steps(step)
GROUP BY step
ORDER BY step
