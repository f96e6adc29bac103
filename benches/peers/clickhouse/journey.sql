-- The number is looked up first, and then the primary key finds the rows, in their order. One thread is
-- enough for a granule or two, and a second one takes longer to start.
SELECT toUnixTimestamp64Milli(ts) AS at, channel, stage, kind, topic, `case`, agent, sentiment, csat, resolved
FROM interactions
WHERE customer = (SELECT customer FROM customers WHERE identity = {who:String})
ORDER BY customer, ts
SETTINGS max_threads = 1, optimize_move_to_prewhere = 0
