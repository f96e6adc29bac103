-- As load.sql, with the place in the file, which decides where times tie.
-- Identities once, beside a dense number that groups and sorts faster than text. The granularity is fine,
-- because only single identities are looked up.
CREATE TABLE customers (identity String, customer UInt32)
ENGINE = MergeTree ORDER BY identity SETTINGS index_granularity = 256;

INSERT INTO customers
SELECT identity, toUInt32(rowNumberInAllBlocks() + 1)
FROM (SELECT DISTINCT customer_id AS identity FROM file('{parquet}', Parquet) ORDER BY identity);

-- The driver puts an Enum of the words that the history has where {words …} stands.
CREATE TABLE interactions
(
    customer UInt32 CODEC(Delta, LZ4),
    ts DateTime64(3, 'UTC') CODEC(Delta, LZ4),
    place UInt64 CODEC(Delta, LZ4),
    channel {words channel},
    stage {words stage},
    kind {words event},
    topic {words topic},
    `case` Nullable(String),
    agent {words agent},
    sentiment Nullable(Float64),
    csat Nullable(Int8),
    resolved Nullable(Bool)
)
ENGINE = MergeTree ORDER BY (customer, ts, place);

-- Without the setting the columns of the file would be taken to be those of the table.
INSERT INTO interactions
SELECT c.customer, i.ts, i.place, i.channel, i.stage, i.event, i.topic, i.case_id, i.agent, i.sentiment, i.csat, i.resolved
FROM (SELECT *, _row_number AS place FROM file('{parquet}', Parquet)) AS i
JOIN customers AS c ON c.identity = i.customer_id
SETTINGS use_structure_from_insertion_table_in_table_functions = 0;

OPTIMIZE TABLE customers FINAL;
OPTIMIZE TABLE interactions FINAL;
