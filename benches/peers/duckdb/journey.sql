-- The index on identities gives the number, and the ranges of numbers skip all row groups but one.
SELECT ts AS "at", channel, stage, kind, topic, "case", agent, sentiment, csat, resolved
FROM interactions JOIN customers USING (customer)
WHERE identity = $who
ORDER BY ts
