"""DuckDB as a peer: `duckdb_peer.py STORE`, or `duckdb_peer.py STORE load SQL PARQUET THREADS`."""

import sys

import duckdb

import protocol


def connect(store, threads, read_only):
    """The database in one file."""
    database = duckdb.connect(store, read_only=read_only, config={"threads": threads})
    database.execute("SET enable_progress_bar = false")
    return database


def answer(database, query, params):
    """Columns and rows, all of them fetched."""
    cursor = database.execute(query, params)
    rows = cursor.fetchall()
    return [column[0] for column in cursor.description], rows


def load(store, sql, parquet, threads):
    """Makes the database of a history."""
    database = connect(store, threads, read_only=False)
    for statement in protocol.statements(sql, parquet=parquet):
        database.execute(statement)
    database.close()


if __name__ == "__main__":
    path = sys.argv[1]
    if len(sys.argv) > 2:
        sql, parquet, threads = sys.argv[3:6]
        protocol.load(path, lambda: load(path, sql, parquet, int(threads)))
    else:
        # The first value that is bound imports modules, which is no matter of the database.
        duckdb.connect().execute("SELECT $who", {"who": ""}).fetchall()
        protocol.serve(duckdb.__version__, lambda threads: connect(path, threads, read_only=True), answer)
