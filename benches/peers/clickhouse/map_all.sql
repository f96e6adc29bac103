-- groupBitmap counts distinct numbers exactly, in roaring bitmaps.
SELECT stage, channel, count() AS interactions, groupBitmap(customer) AS customers, avg(sentiment) AS sentiment
FROM interactions
GROUP BY stage, channel
ORDER BY stage, channel
