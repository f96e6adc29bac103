-- As paths.sql, where all times are one: the place decides what comes after what, and every gap is 0.
SELECT [enum_range(NULL::kind)[code + 1] FOR code IN codes] AS path, count(*) AS journeys
FROM (
    SELECT [moment & 255 FOR moment IN min((place << 8) + enum_code(kind), 5)] AS codes
    FROM interactions
    GROUP BY customer
)
GROUP BY codes
ORDER BY journeys DESC, path
LIMIT 10
