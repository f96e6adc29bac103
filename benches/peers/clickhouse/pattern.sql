-- The moments of each kind as arrays: complaints with a ticket shortly before and a review shortly after.
SELECT count() AS customers
FROM (
    SELECT groupArrayIf(toUnixTimestamp64Milli(ts), kind = 'ticket') AS tickets,
        groupArrayIf(toUnixTimestamp64Milli(ts), kind = 'complaint') AS complaints,
        groupArrayIf(toUnixTimestamp64Milli(ts), kind = 'review') AS reviews
    FROM interactions
    WHERE kind IN ('ticket', 'complaint', 'review')
    GROUP BY customer
    HAVING notEmpty(tickets) AND notEmpty(reviews)
)
WHERE arrayExists(c -> arrayExists(t -> t < c AND c - t <= 604800000, tickets)
    AND arrayExists(r -> r > c AND r - c <= 604800000, reviews), complaints)
