-- As chains.sql, without numbers of topics: windows by customer and topic.
WITH gaps AS (
    SELECT customer, topic, ts - lag(ts) OVER w AS before, lead(ts) OVER w - ts AS next,
        lead(ts, 2) OVER w - lead(ts) OVER w AS second
    FROM interactions
    WHERE topic IS NOT NULL
    WINDOW w AS (PARTITION BY customer, topic ORDER BY ts)
)
SELECT topic, count(*) AS chains, count(DISTINCT customer) AS customers
FROM gaps
WHERE (before IS NULL OR before > 604800000) AND next <= 604800000 AND second <= 604800000
GROUP BY topic
ORDER BY chains DESC, topic
