"""The history that all three load, plain or strained, and the customers whose journeys are asked for."""

import json
import subprocess

# Of every history that is generated here.
SEED = 7


def generated(binaries, folder, customers):
    """A Parquet history of so many customers, written where it is not there yet."""
    path = folder / f"history-{customers}.parquet"
    if not path.exists():
        unfinished = path.with_name("unfinished.parquet")
        command = [binaries / "throughline", "generate", unfinished, "--customers", customers, "--seed", SEED]
        subprocess.run([str(part) for part in command], check=True)
        unfinished.rename(path)
    return path


# What a history becomes, from one that was generated (`base`) to one that strains a system somewhere.
SKEWS = {
    # One customer with five million interactions, some every 12 seconds.
    "hub": """
        SELECT * FROM (
            SELECT * FROM base
            UNION ALL BY NAME
            SELECT 'crm:1000000' AS customer_id,
                TIMESTAMPTZ '2024-07-01 00:00:00+00' + to_milliseconds(place * 12614) AS ts,
                channel, stage, event, topic, case_id, agent, sentiment, csat, resolved
            FROM (
                SELECT *, row_number() OVER (ORDER BY hash(customer_id, ts, copy)) AS place
                FROM (FROM base, range(1 + 5000000 // (SELECT count(*) FROM base)) AS copies(copy) LIMIT 5000000)
            )
        )
        ORDER BY ts""",
    # Everything at one instant, in the order of the file.
    "instant": "SELECT * REPLACE (TIMESTAMPTZ '2025-07-01 00:00:00+00' AS ts) FROM base",
    # A hundred thousand topics; a customer's repeat contacts still share one.
    "topics": """
        SELECT * REPLACE (CASE WHEN topic = 'business account' THEN topic
            ELSE 'topic ' || (hash(customer_id, topic) % 100000) END AS topic)
        FROM base""",
}


def skewed(python, base, skew):
    """The history, strained in the way of that name."""
    path = base.with_name(f"{base.stem}-{skew}.parquet")
    if not path.exists():
        unfinished = path.with_name("unfinished.parquet")
        query = (
            f"CREATE VIEW base AS SELECT * FROM read_parquet('{base}'); "
            f"COPY ({SKEWS[skew]}) TO '{unfinished}' (FORMAT parquet, COMPRESSION zstd)"
        )
        script = "import duckdb, sys; duckdb.execute(\"SET TimeZone = 'UTC'; SET enable_progress_bar = false; \" + sys.argv[1])"
        subprocess.run([str(python), "-c", script, query], check=True)
        unfinished.rename(path)
    return path


# Longish journeys, and not those of one neighbourhood.
CHOICE = """
SELECT customer_id FROM read_parquet($parquet)
GROUP BY customer_id
QUALIFY percent_rank() OVER (ORDER BY count(*)) >= 0.9
ORDER BY md5(customer_id) LIMIT $n
"""


def customers(python, parquet, n):
    """Identities of `n` customers with longish journeys."""
    script = (
        "import duckdb, json, sys; "
        "parquet, n, query = sys.argv[1:]; "
        "duckdb.execute('SET enable_progress_bar = false'); "
        "rows = duckdb.execute(query, {'parquet': parquet, 'n': int(n)}).fetchall(); "
        "print(json.dumps([who for who, in rows]))"
    )
    command = [str(python), "-c", script, str(parquet), str(n), CHOICE]
    chosen = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    # Few customers are asked for more than once.
    return [chosen[place % len(chosen)] for place in range(n)]
