-- Identities once, beside a dense number that groups and sorts faster than text.
CREATE TABLE customers (identity String, customer UInt32)
ENGINE = MergeTree ORDER BY identity SETTINGS index_granularity = 1024;

INSERT INTO customers
SELECT identity, toUInt32(rowNumberInAllBlocks() + 1)
FROM (SELECT DISTINCT customer_id AS identity FROM file('{parquet}', Parquet) ORDER BY identity);

-- Words in dictionaries of the parts.
CREATE TABLE interactions
(
    customer UInt32 CODEC(Delta, ZSTD),
    ts DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    channel LowCardinality(String),
    stage LowCardinality(String),
    kind LowCardinality(String),
    topic LowCardinality(String),
    `case` Nullable(String),
    agent LowCardinality(Nullable(String)),
    sentiment Nullable(Float64),
    csat Nullable(Int8),
    resolved Nullable(Bool)
)
ENGINE = MergeTree ORDER BY (customer, ts);

INSERT INTO interactions
SELECT c.customer, i.ts, i.channel, i.stage, i.event, i.topic, i.case_id, i.agent, i.sentiment, i.csat, i.resolved
FROM file('{parquet}', Parquet) AS i
JOIN customers AS c ON c.identity = i.customer_id
-- Else the columns of the file would be taken to be those of the table.
SETTINGS use_structure_from_insertion_table_in_table_functions = 0;

OPTIMIZE TABLE customers FINAL;
OPTIMIZE TABLE interactions FINAL;
