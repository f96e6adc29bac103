-- The moments of each customer and topic as an array; a chain of three is found at its first contact.
SELECT topic, sum(found) AS chains, count() AS customers
FROM (
    SELECT topic, arrayDifference(arraySort(moments)) AS gaps,
        arrayCount((gap, i) -> (i = 1 OR gap > 604800000) AND i + 2 <= length(gaps)
            AND gaps[i + 1] <= 604800000 AND gaps[i + 2] <= 604800000, gaps, arrayEnumerate(gaps)) AS found
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
