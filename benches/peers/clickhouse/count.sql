-- Customers come in the order of the table, so that no hash table is needed.
SELECT count() AS customers
FROM (SELECT customer FROM interactions WHERE topic = 'business account' GROUP BY customer HAVING count() >= 3)
SETTINGS optimize_aggregation_in_order = 1
