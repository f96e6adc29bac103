-- As journey.sql, where all times are one: the place decides what comes after what, and every gap is 0.
SELECT ts AS "at", channel, stage, kind, topic, "case", agent, sentiment, csat, resolved
FROM interactions JOIN customers USING (customer)
WHERE identity = $who
ORDER BY ts, place
