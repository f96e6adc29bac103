"""What the comparison and the process of a peer say to each other.

A peer says that it is ready, and its version, once its modules are loaded. Then a line of JSON
goes in for each question, and one comes back:

    {"query": "…", "threads": 2, "params": {"who": "crm:42"}}
    {"open_seconds": 0.01, "seconds": 0.2, "columns": ["…"], "rows": [[…]]}

The database is opened for the first question, so that a new process shows
what a cold start costs. Loading is one call, told on the command line.
"""

import json
import os
import sys
import time

# Databases print progress where they like; the comparison must not read it.
_out = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def serve(version, connect, answer):
    """Answers questions until nobody asks any more."""
    say({"ready": True, "version": version})
    database = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            began = time.perf_counter()
            if database is None:
                database = connect(request["threads"])
            opened = time.perf_counter()
            columns, rows = answer(database, request["query"], request.get("params", {}))
            done = time.perf_counter()
            say({"open_seconds": opened - began, "seconds": done - opened, "columns": columns, "rows": rows})
        except Exception as error:  # whatever it is, the comparison reports it
            say({"error": str(error)})


def load(store, work):
    """Runs a load to the end, everything on the disk, and says how long it took."""
    began = time.perf_counter()
    work()
    sync(store)
    say({"seconds": time.perf_counter() - began})


def statements(path, **values):
    """The statements of a SQL file, with `{name}` replaced."""
    with open(path, encoding="utf-8") as file:
        lines = [line for line in file if not line.lstrip().startswith("--")]
    text = "".join(lines)
    for name, value in values.items():
        text = text.replace("{" + name + "}", str(value))
    return [statement.strip() for statement in text.split(";") if statement.strip()]


def sync(path):
    """Makes a file, or all files of a folder, durable."""
    folders = [(path, [], [""])] if os.path.isfile(path) else os.walk(path)
    for folder, _, names in folders:
        for name in names:
            file = os.open(os.path.join(folder, name) if name else folder, os.O_RDONLY)
            os.fsync(file)
            os.close(file)


def say(message):
    """One line to the comparison."""
    _out.write(json.dumps(message) + "\n")
    _out.flush()
