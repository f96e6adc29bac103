-- A chain of three is found at its first contact: one sort, then windows that stream over the sorted rows, no
-- numbering of chains and no second grouping.
WITH sorted AS (SELECT customer, topic, ts FROM interactions WHERE topic IS NOT NULL ORDER BY customer, topic, ts),
keyed AS (SELECT customer, topic, (customer::BIGINT << 20) + enum_code(topic) AS key, ts FROM sorted),
gaps AS (
    SELECT customer, topic, key, lag(key) OVER () AS key_before, lead(key, 2) OVER () AS key_second,
        ts - lag(ts) OVER () AS before, lead(ts) OVER () - ts AS next, lead(ts, 2) OVER () - lead(ts) OVER () AS second
    FROM keyed
)
SELECT topic, count(*) AS chains, count(DISTINCT customer) AS customers
FROM gaps
WHERE (key_before IS DISTINCT FROM key OR before > 604800000)
    AND key_second = key AND next <= 604800000 AND second <= 604800000
GROUP BY topic
ORDER BY chains DESC, topic
