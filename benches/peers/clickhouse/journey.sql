-- The number is looked up first, and then the primary key finds the rows.
SELECT toUnixTimestamp64Milli(ts) AS at, channel, stage, kind, topic, `case`, agent, sentiment, csat, resolved
FROM interactions
WHERE customer = (SELECT customer FROM customers WHERE identity = {who:String})
ORDER BY ts
