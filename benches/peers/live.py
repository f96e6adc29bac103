#!/usr/bin/env python3
"""Throughline while it is written to, and beside SQLite.

    python3 benches/peers/live.py                                 # against SQLite, in new stores
    python3 benches/peers/live.py --store DB --seconds 600        # and at a rate, into a store that is there

README.md beside this file says what is measured, and how.
"""

import argparse
import json
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from pathlib import Path

import environment

BATCHES = (1, 100, 10_000)
CHANNELS = ("app", "phone", "chat", "email", "twitter", "store")
TOPICS = ("billing", "delivery", "login", "outage", "refund", "contract", "quality", "speed", "roaming", "privacy")

TABLE = """
    CREATE TABLE interactions (
        customer TEXT NOT NULL, ts INTEGER NOT NULL, kind TEXT, channel TEXT, topic TEXT,
        agent TEXT, "case" TEXT, sentiment REAL, resolved INTEGER
    );
    CREATE INDEX journeys ON interactions (customer, ts);
"""


def rows(count):
    """Interactions like those that `live` makes."""
    noise = random.Random(count)
    made = []
    for place in range(count):
        answered = noise.random() < 0.5
        made.append((
            f"crm:{noise.randrange(1_000_000)}", 1_700_000_000_000 + place, "call",
            noise.choice(CHANNELS), noise.choice(TOPICS),
            f"agent {noise.randrange(400):03}" if answered else None, f"live-{place:08}" if answered else None,
            noise.randrange(201) / 100 - 1 if answered else None, noise.random() < 0.6 if answered else None,
        ))
    return made


def sqlite(folder, batch, seconds):
    """Interactions a second that SQLite takes, each batch one durable transaction."""
    path = folder / "sqlite.db"
    for old in folder.glob("sqlite.db*"):
        old.unlink()
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.executescript(TABLE)
    batches = [rows(batch) for _ in range(min(64, 1 + 640_000 // batch))]
    insert = "INSERT INTO interactions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    done, turn, began = 0, 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds:
        database.execute("BEGIN")
        database.executemany(insert, batches[turn % len(batches)])
        database.execute("COMMIT")
        done, turn = done + batch, turn + 1
    database.close()
    return done / took


def throughline(binaries, folder, batch, seconds):
    """Interactions a second that Throughline takes."""
    store = folder / "throughline.db"
    shutil.rmtree(store, ignore_errors=True)
    found = run(binaries, "write", store, batch, seconds)
    return found["interactions"] / found["seconds"]


def run(binaries, *arguments):
    """What `live` says. `steady` ends by a signal, after its answer."""
    command = [str(part) for part in (binaries / "live", *arguments)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    lines = ended.stdout.strip().splitlines()
    if not lines:
        sys.exit(f"{' '.join(command)} ended with {ended.returncode}")
    return json.loads(lines[-1])


def against_sqlite(binaries, folder, rounds, seconds):
    """The table of both, in turn."""
    print("| batch | Throughline, interactions/s | SQLite, interactions/s | ratio |\n| ---: | ---: | ---: | ---: |")
    for batch in BATCHES:
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(throughline(binaries, folder, batch, seconds))
            theirs.append(sqlite(folder, batch, seconds))
        ours, theirs = statistics.median(ours), statistics.median(theirs)
        print(f"| {batch:,} | {ours:,.0f} | {theirs:,.0f} | {ours / theirs:.2g}x |", flush=True)


def steadily(binaries, asked):
    """The figures of a store that is written to at a rate."""
    tail = [asked.tail] if asked.tail else []
    found = run(binaries, "steady", asked.store, asked.rate, asked.batch, asked.seconds, *tail)
    opened = run(binaries, "open", asked.store)
    commit, sync = found["commit"], found["own_sync"]
    print(f"""
{found['interactions']:,} interactions in {found['seconds']:.0f} s, in batches of {asked.batch}; begun at most {found['latest_start']:.0f} ms late

| | median | 99th percentile | longest |
| --- | ---: | ---: | ---: |
| commit, from call to durable and visible | {commit['median']:.1f} ms | {commit['p99']:.1f} ms | {commit['longest']:.0f} ms |
| the disk's own sync | {sync['median']:.1f} ms | {sync['p99']:.1f} ms | |

| question | quiet | while written to | ratio | 99th percentile | asked |
| --- | ---: | ---: | ---: | ---: | ---: |""")
    for one in found["questions"]:
        ratio = one["median"] / one["quiet"]
        print(f"| {one['question']} | {one['quiet']:.1f} ms | {one['median']:.1f} ms | {ratio:.2f}x | {one['p99']:.1f} ms | {one['asked']} |")
    encoded = max(1, found["encoded_bytes"])
    written = found["written_bytes"] / encoded
    sealed = found["sealed_bytes"]
    seals = sealed.pop("seals")
    causes = ", ".join(f"{cause} {bytes / encoded:.1f}" for cause, bytes in sealed.items())
    print(f"""
- written to the disk for each byte of history: {written:.1f}; by {seals} seals into the graph: {causes}
- peak memory: {found['peak_bytes'] / 1e9:.2f} GB
- opened after the end by a signal: {opened['opened']:.0f} ms, first journey {opened['journey']:.0f} ms""")


def main():
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--store", type=Path, help="a store that is written to at a rate; it keeps what is written")
    add("--rate", type=int, default=10_000, help="interactions a second (default %(default)s)")
    add("--batch", type=int, default=100, help="interactions a commit (default %(default)s)")
    add("--seconds", type=int, default=600, help="for so long (default %(default)s)")
    add("--tail", type=int, help="interactions that it keeps in memory before they are sealed (default Throughline's own)")
    add("--rounds", type=int, default=3, help="rounds against SQLite, 0 for none (default %(default)s)")
    add("--out", type=Path, default=environment.TARGET / "peers", help="folder (default target/peers)")
    asked = parser.parse_args()
    subprocess.run(
        ["cargo", "build", "--release", "--quiet", "-p", "throughline-benches", "--bin", "live"],
        cwd=environment.WORKSPACE, check=True,
    )
    binaries = environment.TARGET / "release"
    folder = asked.out.resolve() / "live"
    folder.mkdir(parents=True, exist_ok=True)
    if asked.rounds:
        against_sqlite(binaries, folder, asked.rounds, 5)
    if asked.store:
        steadily(binaries, asked)
    return 0


if __name__ == "__main__":
    sys.exit(main())
