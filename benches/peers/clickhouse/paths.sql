-- Rows come in the order of the table within a customer when aggregation follows that order.
SELECT path, count() AS journeys
FROM (SELECT groupArray(5)(kind) AS path FROM interactions GROUP BY customer)
GROUP BY path
ORDER BY journeys DESC, path
LIMIT 10
SETTINGS optimize_aggregation_in_order = 1
