"""ClickHouse as a peer, embedded (chDB): the same calls as duckdb_peer.py."""

import json
import sys

import chdb
import chdb.session

import protocol


def connect(store, threads):
    """The database in a folder."""
    database = chdb.session.Session(store)
    database.query(f"SET max_threads = {threads}, max_insert_threads = {threads}")
    return database


def answer(database, query, params):
    """Columns and rows, all of them parsed; 64-bit numbers come as numbers."""
    result = database.query(query, "JSONCompact", params=params)
    parsed = json.loads(result.bytes())
    return [column["name"] for column in parsed["meta"]], parsed["data"]


def load(store, sql, parquet, threads):
    """Makes the database of a history."""
    database = connect(store, threads)
    for statement in protocol.statements(sql, parquet=parquet):
        database.query(statement)
    database.close()


if __name__ == "__main__":
    path = sys.argv[1]
    if len(sys.argv) > 2:
        sql, parquet, threads = sys.argv[3:6]
        protocol.load(path, lambda: load(path, sql, parquet, int(threads)))
    else:
        version = f"{chdb.engine_version} (chDB {chdb.__version__})"
        protocol.serve(version, lambda threads: connect(path, threads), answer)
