-- The moments of each kind as arrays, of those who have the rarest one: complaints with a ticket shortly before and
-- a review shortly after.
SELECT count() AS customers
FROM (
    SELECT groupArrayIf(toUnixTimestamp64Milli(ts), kind = 'ticket') AS tickets,
        groupArrayIf(toUnixTimestamp64Milli(ts), kind = 'complaint') AS complaints,
        groupArrayIf(toUnixTimestamp64Milli(ts), kind = 'review') AS reviews
    FROM interactions
    WHERE kind IN ('ticket', 'complaint', 'review')
        AND customer IN (SELECT customer FROM interactions WHERE kind = 'review')
    GROUP BY customer
    HAVING notEmpty(tickets)
)
WHERE arrayExists(c -> arrayExists(t -> t < c AND c - t <= 604800000, tickets)
    AND arrayExists(r -> r > c AND r - c <= 604800000, reviews), complaints)
