-- As pattern.sql, where all times are one: the place decides what comes after what, and every gap is 0.
WITH complaints AS (
    SELECT c.customer, c.place
    FROM interactions AS r JOIN interactions AS c ON c.customer = r.customer AND c.place < r.place
    WHERE r.kind = 'review' AND c.kind = 'complaint'
)
SELECT count(DISTINCT c.customer) AS customers
FROM complaints AS c JOIN interactions AS t ON t.customer = c.customer AND t.place < c.place
WHERE t.kind = 'ticket'
