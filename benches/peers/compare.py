#!/usr/bin/env python3
"""Throughline beside DuckDB and ClickHouse: one history, the same questions, one table.

    python3 benches/peers/compare.py --customers 1000000

README.md beside this file says what is measured, and how.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import environment
import history
import report
import timing
from chart import chart
from questions import QUESTIONS
from systems import TITLES, System, Tools

# What the table's figures should come from at least.
ROUNDS = 5


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add, cores = parser.add_argument, len(os.sched_getaffinity(0))
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--customers", type=int, default=100_000, help="generate so many (default %(default)s)")
    source.add_argument("--parquet", type=Path, help="a history, as `throughline generate` writes it")
    add("--skew", choices=history.SKEWS, help="strain the history; README.md says how")
    add("--rounds", type=int, default=ROUNDS, help="rounds of timing; fewer are rough (default %(default)s)")
    add("--cold", type=int, default=ROUNDS, help="new processes a question; 0 for none (default %(default)s)")
    add("--threads", type=int, default=cores, help="threads, and cores, of each system (default %(default)s)")
    add("--cache", type=int, help="megabytes of Throughline's page cache (default its own choice)")
    add("--timeout", type=float, default=300, help="seconds an answer is waited for (default %(default)s)")
    add("--only", default="", help="these questions, with commas between")
    add("--systems", default="", help="these systems, with commas between")
    add("--skip-load", action="store_true", help="ask the stores of the last run, where they are of this history")
    add("--out", type=Path, default=environment.TARGET / "peers", help="folder of everything (default target/peers)")
    asked = parser.parse_args()
    asked.questions = chosen(parser, asked.only, {question.name: question for question in QUESTIONS})
    asked.systems = chosen(parser, asked.systems, {name: name for name in TITLES})
    return asked


def chosen(parser, names, known):
    """What is named, or everything."""
    unknown = [name for name in names.split(",") if name and name not in known]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in names.split(",") if name] or list(known.values())


def main():
    """Runs the comparison; the exit code is 1 where answers differ."""
    asked = arguments()
    out = asked.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    timing.say("getting ready")
    python = environment.python(out / "venv")
    binaries = environment.binaries()
    environment.keep_to(asked.threads)
    facts = environment.machine()
    parquet = asked.parquet.resolve() if asked.parquet else history.generated(binaries, out, asked.customers)
    if asked.skew:
        parquet = history.skewed(python, parquet, asked.skew)
    customers = history.customers(python, parquet, 2 * max(20, asked.rounds))

    stores = out / f"stores-{parquet.stem}"
    stores.mkdir(exist_ok=True)
    tools = Tools(python, binaries, asked.threads, asked.skew, asked.cache)
    systems = [System(name, stores, tools) for name in asked.systems]
    loads = {system.name: loaded(system, parquet, asked.skip_load) for system in systems}

    session = timing.Session(systems, asked.questions, customers, asked.timeout, asked.skew)
    different = session.check()
    warm, first = session.rounds(asked.rounds) if not different else ({}, {})
    asking = session.close()
    if session.different:
        print("ANSWERS DIFFER\n\n" + "\n\n".join(session.different))
        return 1
    cold, started = {}, {}
    if asked.cold:
        cold, started = timing.cold(session, asked.cold)

    found = report.Found(facts, asked, parquet, loads, asking, warm, first, cold, started, session.late)
    (out / "table.md").write_text(report.markdown(found), encoding="utf-8")
    (out / "table.json").write_text(json.dumps(report.as_json(found), indent=2) + "\n", encoding="utf-8")
    (out / "ratios.svg").write_text(chart(report.ratios(found)), encoding="utf-8")
    print(report.markdown(found))
    timing.say(f"table.md, table.json and ratios.svg are in {out}")
    return 0


def loaded(system, parquet, skip):
    """Loads a system, unless the store of the last run will do: time, memory and sizes."""
    noted = system.store.with_suffix(".json")
    stamp = [str(parquet), parquet.stat().st_size, parquet.stat().st_mtime, system.tools.threads]
    if skip and noted.exists() and system.store.exists():
        load = json.loads(noted.read_text(encoding="utf-8"))
        if load["stamp"] == stamp:
            return load
    timing.say(f"loading {system.title}")
    noted.unlink(missing_ok=True)
    load = {**system.load(parquet), "sizes": system.sizes(), "stamp": stamp}
    noted.write_text(json.dumps(load), encoding="utf-8")
    return load


if __name__ == "__main__":
    sys.exit(main())
