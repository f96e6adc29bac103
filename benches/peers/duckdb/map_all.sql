-- Distinct customers by a grouping of their own: count(DISTINCT …) beside other aggregates takes longer.
SELECT stage, channel, interactions, customers, sentiment
FROM (SELECT stage, channel, count(*) AS interactions, avg(sentiment) AS sentiment FROM interactions GROUP BY stage, channel)
JOIN (
    SELECT stage, channel, count(*) AS customers
    FROM (SELECT DISTINCT stage, channel, customer FROM interactions)
    GROUP BY stage, channel
) USING (stage, channel)
ORDER BY stage, channel
