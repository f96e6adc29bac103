"""ClickHouse as a peer, embedded (chDB): the same calls as duckdb_peer.py."""

import json
import re
import sys

import chdb
import chdb.session

import protocol

# More words than an Enum16 should have are kept in the dictionaries of the parts instead.
WORDS_MAX = 10_000


def connect(store, threads):
    """The database in a folder."""
    database = chdb.session.Session(store)
    database.query(f"SET max_threads = {threads}, max_insert_threads = {threads}")
    return database


def answer(database, query, params):
    """Columns and rows, all of them parsed."""
    result = database.query(query, "JSONCompact", params=params)
    parsed = json.loads(result.bytes())
    return [column["name"] for column in parsed["meta"]], parsed["data"]


def load(store, sql, parquet, threads):
    """Makes the database of a history."""
    database = connect(store, threads)
    for statement in protocol.statements(sql, parquet=parquet):
        database.query(with_words(database, statement, parquet))
    database.close()


def with_words(database, statement, parquet):
    """The statement, with a type for each `{words column}`: its words in alphabetical order, so that
    sorting by an Enum is sorting by the word."""
    columns = re.findall(r"{words (\w+)}", statement)
    if not columns:
        return statement
    asked = ", ".join(f"arraySort(groupUniqArray({column})), countIf({column} IS NULL)" for column in columns)
    _, [row] = answer(database, f"SELECT {asked} FROM file('{parquet}', Parquet)", {})
    for column, words, nulls in zip(columns, row[::2], row[1::2]):
        quoted = [word.replace("\\", "\\\\").replace("'", "\\'") for word in words]
        listed = ", ".join(f"'{word}' = {place + 1}" for place, word in enumerate(quoted))
        many = len(words) > WORDS_MAX
        named = "String" if many else f"Enum{8 if len(words) < 127 else 16}({listed})"
        named = f"Nullable({named})" if nulls else named
        statement = statement.replace(f"{{words {column}}}", f"LowCardinality({named})" if many else named)
    return statement


if __name__ == "__main__":
    path = sys.argv[1]
    if len(sys.argv) > 2:
        sql, parquet, threads = sys.argv[3:6]
        protocol.load(path, lambda: load(path, sql, parquet, int(threads)))
    else:
        version = f"{chdb.engine_version} (chDB {chdb.__version__})"
        protocol.serve(version, lambda threads: connect(path, threads), answer)
