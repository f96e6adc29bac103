-- As journey.sql, where all times are one: the place decides what comes after what, and every gap is 0.
SELECT toUnixTimestamp64Milli(ts) AS at, channel, stage, kind, topic, `case`, agent, sentiment, csat, resolved
FROM interactions
WHERE customer = (SELECT customer FROM customers WHERE identity = {who:String})
ORDER BY customer, ts, place
SETTINGS max_threads = 1, optimize_move_to_prewhere = 0
