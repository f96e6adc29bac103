-- As pattern.sql, where all times are one: the place decides what comes after what, and every gap is 0.
SELECT count() AS customers
FROM (
    SELECT groupArrayIf(place, kind = 'ticket') AS tickets,
        groupArrayIf(place, kind = 'complaint') AS complaints,
        groupArrayIf(place, kind = 'review') AS reviews
    FROM interactions
    WHERE kind IN ('ticket', 'complaint', 'review')
    GROUP BY customer
    HAVING notEmpty(tickets) AND notEmpty(reviews)
)
WHERE arrayExists(c -> arrayExists(t -> t < c, tickets)
    AND arrayExists(r -> r > c, reviews), complaints)
