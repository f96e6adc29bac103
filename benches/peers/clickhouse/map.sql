-- As anyone would write it.
SELECT stage, channel, count() AS interactions
FROM interactions
GROUP BY stage, channel
ORDER BY stage, channel
