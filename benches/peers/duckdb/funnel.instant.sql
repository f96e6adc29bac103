-- As funnel.sql, where all times are one: the place decides what comes after what, and every gap is 0.
WITH spans AS (
    SELECT customer, min(ts) AS first, max(ts) + 7776000000 AS last
    FROM interactions
    WHERE stage = 'awareness'
    GROUP BY customer
),
moments AS (
    SELECT customer,
        list(place) FILTER (stage = 'awareness') AS a,
        list(place) FILTER (stage = 'consideration') AS b,
        list(place) FILTER (stage = 'purchase') AS c,
        list(place) FILTER (stage = 'onboarding') AS d,
        list(place) FILTER (stage = 'retention') AS e,
        list(place) FILTER (stage = 'advocacy') AS f
    FROM interactions JOIN spans USING (customer)
    WHERE ts BETWEEN first AND last
    GROUP BY customer
),
starts AS (SELECT customer, unnest(a) AS t1, b, c, d, e, f FROM moments),
to2 AS (SELECT *, list_min(list_filter(b, lambda t: t > t1)) AS t2 FROM starts),
to3 AS (SELECT *, list_min(list_filter(c, lambda t: t > t2)) AS t3 FROM to2),
to4 AS (SELECT *, list_min(list_filter(d, lambda t: t > t3)) AS t4 FROM to3),
to5 AS (SELECT *, list_min(list_filter(e, lambda t: t > t4)) AS t5 FROM to4),
to6 AS (SELECT *, list_min(list_filter(f, lambda t: t > t5)) AS t6 FROM to5),
depths AS (
    SELECT max(CASE
        WHEN t6 IS NOT NULL THEN 6 WHEN t5 IS NOT NULL THEN 5 WHEN t4 IS NOT NULL THEN 4
        WHEN t3 IS NOT NULL THEN 3 WHEN t2 IS NOT NULL THEN 2 ELSE 1 END) AS depth
    FROM to6
    GROUP BY customer
)
SELECT step, count(*) FILTER (depth >= step) AS reached
FROM depths, range(1, 7) AS steps(step)
GROUP BY step
ORDER BY step
