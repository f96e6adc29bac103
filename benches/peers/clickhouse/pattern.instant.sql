-- As pattern.sql, where all times are one: the place decides what comes after what, and every gap is 0.
SELECT count() AS customers
FROM (
    SELECT groupArrayIf(place, kind = 'ticket') AS tickets,
        groupArrayIf(place, kind = 'complaint') AS complaints,
        groupArrayIf(place, kind = 'review') AS reviews
    FROM interactions
    WHERE kind IN ('ticket', 'complaint', 'review')
        AND customer IN (SELECT customer FROM interactions WHERE kind = 'review')
    GROUP BY customer
    HAVING notEmpty(tickets)
)
WHERE arrayExists(c -> arrayExists(t -> t < c, tickets)
    AND arrayExists(r -> r > c, reviews), complaints)
