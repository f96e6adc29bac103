-- Lists would be searched from every start, which is quadratic in the longest journey. Instead the latest start
-- from which each step was reached is carried along: running maxima, one a step.
WITH
s1 AS (
    SELECT customer, stage, ts, max(ts) FILTER (stage = 'awareness') OVER w AS l1
    FROM interactions WINDOW w AS (PARTITION BY customer ORDER BY ts ROWS UNBOUNDED PRECEDING)
),
s2 AS (
    SELECT *, max(l1) FILTER (stage = 'consideration') OVER w AS l2
    FROM s1 WHERE ts - l1 <= 7776000000 WINDOW w AS (PARTITION BY customer ORDER BY ts ROWS UNBOUNDED PRECEDING)
),
s3 AS (
    SELECT *, max(l2) FILTER (stage = 'purchase' AND ts - l2 <= 7776000000) OVER w AS l3
    FROM s2 WINDOW w AS (PARTITION BY customer ORDER BY ts ROWS UNBOUNDED PRECEDING)
),
s4 AS (
    SELECT *, max(l3) FILTER (stage = 'onboarding' AND ts - l3 <= 7776000000) OVER w AS l4
    FROM s3 WINDOW w AS (PARTITION BY customer ORDER BY ts ROWS UNBOUNDED PRECEDING)
),
s5 AS (
    SELECT *, max(l4) FILTER (stage = 'retention' AND ts - l4 <= 7776000000) OVER w AS l5
    FROM s4 WINDOW w AS (PARTITION BY customer ORDER BY ts ROWS UNBOUNDED PRECEDING)
),
depths AS (
    SELECT max(CASE
        WHEN stage = 'advocacy' AND ts - l5 <= 7776000000 THEN 6
        WHEN stage = 'retention' AND ts - l4 <= 7776000000 THEN 5
        WHEN stage = 'onboarding' AND ts - l3 <= 7776000000 THEN 4
        WHEN stage = 'purchase' AND ts - l2 <= 7776000000 THEN 3
        WHEN stage = 'consideration' THEN 2
        ELSE 1 END) AS depth
    FROM s5
    GROUP BY customer
)
SELECT step, count(*) FILTER (depth >= step) AS reached
FROM depths, range(1, 7) AS steps(step)
GROUP BY step
ORDER BY step
