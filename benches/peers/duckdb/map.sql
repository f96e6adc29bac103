-- ENUMs were made in alphabetical order, so that sorting by them is sorting by the word.
SELECT stage, channel, count(*) AS interactions
FROM interactions
GROUP BY stage, channel
ORDER BY stage, channel
