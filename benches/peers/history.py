"""The history that all three load, and the customers whose journeys are asked for."""

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
        "rows = duckdb.execute(query, {'parquet': parquet, 'n': int(n)}).fetchall(); "
        "print(json.dumps([who for who, in rows]))"
    )
    command = [str(python), "-c", script, str(parquet), str(n), CHOICE]
    chosen = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    # Few customers are asked for more than once.
    return [chosen[place % len(chosen)] for place in range(n)]
