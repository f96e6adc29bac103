-- From the rarest step back: reviews, the complaints before them, the tickets before those.
WITH complaints AS (
    SELECT c.customer, c.ts
    FROM interactions AS r JOIN interactions AS c ON c.customer = r.customer AND c.ts < r.ts AND c.ts >= r.ts - 604800000
    WHERE r.kind = 'review' AND c.kind = 'complaint'
)
SELECT count(DISTINCT c.customer) AS customers
FROM complaints AS c JOIN interactions AS t ON t.customer = c.customer AND t.ts < c.ts AND t.ts >= c.ts - 604800000
WHERE t.kind = 'ticket'
