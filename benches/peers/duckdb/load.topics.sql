-- As load.sql, with topics as text: with an ENUM of 100,000 words the load took 40 times as long.
-- Words become ENUMs: a byte or two a value in tables, and comparisons of numbers.
CREATE TYPE channel AS ENUM (SELECT DISTINCT channel FROM read_parquet('{parquet}') WHERE channel IS NOT NULL ORDER BY channel);
CREATE TYPE stage AS ENUM (SELECT DISTINCT stage FROM read_parquet('{parquet}') WHERE stage IS NOT NULL ORDER BY stage);
CREATE TYPE kind AS ENUM (SELECT DISTINCT event FROM read_parquet('{parquet}') WHERE event IS NOT NULL ORDER BY event);
CREATE TYPE agent AS ENUM (SELECT DISTINCT agent FROM read_parquet('{parquet}') WHERE agent IS NOT NULL ORDER BY agent);

-- Identities once, beside a dense number that groups and sorts faster than text.
CREATE TABLE customers AS
SELECT customer_id AS identity, (row_number() OVER (ORDER BY customer_id))::UINTEGER AS customer
FROM (SELECT DISTINCT customer_id FROM read_parquet('{parquet}'))
ORDER BY identity;

-- Sorted, so that a journey lies in one place and a running window can follow it.
CREATE TABLE interactions AS
SELECT customer, epoch_ms(ts) AS ts, channel::channel AS channel, stage::stage AS stage, event::kind AS kind,
    topic, case_id AS "case", agent::agent AS agent, sentiment, csat::TINYINT AS csat, resolved
FROM read_parquet('{parquet}') JOIN customers ON identity = customer_id
ORDER BY customer, ts;

CREATE UNIQUE INDEX customers_identity ON customers (identity);
CHECKPOINT;
