-- Joins would pair all reviews with all complaints of the longest journey. Instead the last ticket, and the last
-- complaint soon after one, are carried along by windows that stream, as in funnel.hub.sql.
WITH
moments AS (
    SELECT kind, (customer::BIGINT << 38) + ts - (SELECT min(ts) FROM interactions) AS m
    FROM interactions
    WHERE kind IN ('ticket', 'complaint', 'review')
),
tickets AS (
    SELECT kind, m, max(CASE WHEN kind = 'ticket' THEN m END) OVER (ROWS UNBOUNDED PRECEDING) AS ticket
    FROM moments
),
complaints AS (
    SELECT kind, m, max(CASE WHEN kind = 'complaint' AND m - ticket <= 604800000 THEN m END)
        OVER (ROWS UNBOUNDED PRECEDING) AS complaint
    FROM tickets
)
SELECT count(DISTINCT m >> 38) AS customers
FROM complaints
WHERE kind = 'review' AND m - complaint <= 604800000
