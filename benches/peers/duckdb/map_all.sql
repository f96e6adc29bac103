-- A customer's cells are bits of one number, so that distinct customers take one group a customer and not one
-- a customer and cell. There are 6 stages by 8 channels, which 64 bits hold.
WITH cells AS (
    SELECT stage, channel, enum_code(stage) * 8 + enum_code(channel) AS cell,
        count(*) AS interactions, avg(sentiment) AS sentiment
    FROM interactions
    GROUP BY stage, channel
),
masks AS (
    SELECT mask, count(*) AS customers
    FROM (SELECT bit_or(1::UBIGINT << (enum_code(stage) * 8 + enum_code(channel))) AS mask FROM interactions GROUP BY customer)
    GROUP BY mask
)
SELECT stage, channel, any_value(interactions) AS interactions, sum(customers) AS customers, any_value(sentiment) AS sentiment
FROM cells JOIN masks ON (mask >> cell) & 1 = 1
GROUP BY stage, channel
ORDER BY stage, channel
