-- The five first of each customer in one aggregate, without sorting all rows: times and kinds as one number.
SELECT [enum_range(NULL::kind)[code + 1] FOR code IN codes] AS path, count(*) AS journeys
FROM (
    SELECT [moment & 255 FOR moment IN min((ts << 8) + enum_code(kind), 5)] AS codes
    FROM interactions
    GROUP BY customer
)
GROUP BY codes
ORDER BY journeys DESC, path
LIMIT 10
