-- The moments of each customer and topic as an array; a chain of three is found at its first contact: its gap
-- before is too long, or there is none, and the two after it are not.
SELECT topic, sum(found) AS chains, count() AS customers
FROM (
    SELECT topic, arrayDifference(arraySort(moments)) AS gaps,
        arrayCount((before, next, second) -> before > 604800000 AND next <= 604800000 AND second <= 604800000,
            arrayPushFront(arraySlice(gaps, 2, length(gaps) - 3), 604800001),
            arraySlice(gaps, 2, length(gaps) - 2), arraySlice(gaps, 3)) AS found
    FROM (
        SELECT topic, groupArray(toUnixTimestamp64Milli(ts)) AS moments
        FROM interactions
        GROUP BY customer, topic
        HAVING count() >= 3
    )
)
WHERE found > 0
GROUP BY topic
ORDER BY chains DESC, topic
