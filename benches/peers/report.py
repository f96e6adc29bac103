"""What was found, as a table for people and as JSON."""

import statistics
from dataclasses import dataclass
from pathlib import Path

from questions import NANOSECONDS_MAX
from systems import TITLES

OURS = "throughline"


@dataclass
class Found:
    """Everything that was measured."""

    facts: dict
    asked: object
    parquet: Path
    loads: dict
    asking: dict
    warm: dict
    first: dict
    cold: dict
    started: dict
    late: dict

    @property
    def names(self):
        """The systems, as they were asked for."""
        return list(self.loads)

    @property
    def peers(self):
        """All but ours."""
        return [name for name in self.names if name != OURS]

    @property
    def interactions(self):
        """How many there are, where Throughline was loaded."""
        return self.loads.get(OURS, {}).get("sizes", {}).get("interactions")


def ratios(found):
    """A row a question: times, ratios, floor and goal."""
    rows = []
    for question in found.asked.questions:
        seconds = {name: _median(found.warm.get((question.name, name))) for name in found.names}
        late = {name: found.late[question.name, name] for name in found.names if (question.name, name) in found.late}
        # Who is not waited for takes at least so long; who fails says nothing.
        waited = {name: found.asked.timeout for name, words in late.items() if words != "fails"}
        row = {
            "question": question.name,
            "title": question.title,
            "seconds": seconds,
            "spread": {name: _spread(found.warm.get((question.name, name))) for name in found.names},
            "late": late,
            "after_a_pause": _paused(found, question),
            **_against(found, {**seconds, **waited}, question.floor, question.goal),
        }
        if question.whole and seconds.get(OURS) and found.interactions:
            row["ns_per_interaction_and_core"] = seconds[OURS] * 1e9 * found.asked.threads / found.interactions
        rows.append(row)
    return rows


def _paused(found, question):
    """The first asking of each turn, when others had theirs in between."""
    seconds = {name: _median(found.first.get((question.name, name))) for name in found.names}
    return {"seconds": seconds, "ratio": _against(found, seconds, None, None)["ratio"]}


def cold_ratios(found):
    """A row a question: the first answer of a new process."""
    rows = []
    for question in (question for question in found.asked.questions if not question.fresh):
        seconds = {name: _median(found.cold.get((question.name, name))) for name in found.names}
        rows.append({
            "question": question.name,
            "seconds": seconds,
            "from_process_start": {name: _median(found.started.get((question.name, name))) for name in found.names},
            **_against(found, seconds, 1, None),
        })
    return rows


def others(found):
    """Load time and sizes, with what is asked of them: (name, value by system, ratio, floor, goal)."""
    rows = []
    load = {name: found.loads[name]["seconds"] for name in found.names}
    rows.append({"name": "load", "seconds": load, **_against(found, load, 1, 2, than="clickhouse")})
    ours, theirs = found.loads.get(OURS), found.loads.get("duckdb")
    if ours and theirs:
        sizes, file = ours["sizes"], theirs["sizes"]["all"]
        both = sizes["graph"] + sizes["history"]
        rows.append({"name": "graph on disk", "ratio": file / sizes["graph"], "floor": 1, "goal": None})
        twice = "graph and history on disk, against twice the file"
        rows.append({"name": twice, "ratio": 2 * file / both, "floor": 1, "goal": None})
        for row in rows[-2:]:
            row["verdict"] = _verdict(row["ratio"], row["floor"], row["goal"])
    return rows


def _against(found, seconds, floor, goal, than=None):
    """How many times as long the others take, and what that is worth."""
    mine = seconds.get(OURS)
    each = {name: seconds[name] / mine for name in found.peers if mine and seconds.get(name)}
    better = each.get(than) if than else min(each.values(), default=None)
    return {"ratios": each, "ratio": better, "floor": floor, "goal": goal, "verdict": _verdict(better, floor, goal)}


def _verdict(ratio, floor, goal):
    if ratio is None or floor is None:
        return ""
    if goal is not None and ratio >= goal:
        return "goal met"
    return "floor met" if ratio >= floor else "MISSED"


def _median(values):
    return statistics.median(values) if values else None


def _spread(values):
    return [min(values), max(values)] if values else None


def as_json(found):
    """All of it, with every single time."""
    asked = found.asked
    return {
        "facts": {
            **found.facts,
            "threads": asked.threads,
            "rounds": asked.rounds,
            "history": found.parquet.name,
            "customers": found.loads.get(OURS, {}).get("sizes", {}).get("customers"),
            "interactions": found.interactions,
            "versions": {name: found.asking[name]["version"] for name in found.names},
        },
        "questions": ratios(found),
        "cold": cold_ratios(found),
        "others": others(found),
        "loads": found.loads,
        "memory": found.asking,
        "samples": [
            {"question": question, "system": name, "warm": times,
             "after_a_pause": found.first.get((question, name)),
             "cold": found.cold.get((question, name)), "from_process_start": found.started.get((question, name))}
            for (question, name), times in found.warm.items()
        ],
    }


def markdown(found):
    """The report for people."""
    parts = [_head(found), "## Warm\n", _warm_table(found)]
    if found.cold:
        parts += ["## Cold: the first question of a new process\n", _cold_table(found)]
    parts += ["## Load, disk and memory\n", _load_table(found), "## The questions\n", _questions(found)]
    return "\n".join(parts)


def _head(found):
    facts = found.facts
    versions = ", ".join(f"{TITLES[name]} {found.asking[name]['version']}" for name in found.names)
    cache = f", Throughline's cache {found.asked.cache} MB" if found.asked.cache else ""
    lines = [
        "# Throughline beside its peers\n",
        f"{_count(found.loads.get(OURS, {}).get('sizes', {}).get('customers'))} customers, "
        f"{_count(found.interactions)} interactions ({found.parquet.name}); {found.asked.rounds} rounds, "
        f"{found.asked.threads} threads each{cache}; {facts['date']}.",
        f"{facts['cpu']}, {facts['cores']} cores, {_bytes(facts['memory_bytes'])} RAM, {facts['kernel']}, "
        f"load {facts['load_average']} at the start. {versions}, commit {facts['commit']}, Python {facts['python']}.\n",
    ]
    if found.asked.rounds < 5:
        lines.append("**Rough: fewer than 5 rounds.**\n")
    return "\n".join(lines)


def _warm_table(found):
    head = ["question", *(TITLES[name] for name in found.names), *(f"against {TITLES[name]}" for name in found.peers),
            "against the better", "floor", "goal", "", "ns/interaction/core",
            *(f"{TITLES[name]}, after a pause" for name in found.names), "then against the better"]
    rows = []
    for row in ratios(found):
        ns = row.get("ns_per_interaction_and_core")
        paused = row["after_a_pause"]
        rows.append([
            row["title"],
            *(row["late"].get(name) or _seconds(row["seconds"][name]) for name in found.names),
            *(_times(row["ratios"].get(name), name in row["late"]) for name in found.peers),
            _times(row["ratio"]), _times(row["floor"]), _times(row["goal"]), row["verdict"],
            "" if ns is None else f"{ns:.1f}" + (" (over 6)" if ns > NANOSECONDS_MAX and row["floor"] else ""),
            *(_seconds(paused["seconds"][name]) for name in found.names), _times(paused["ratio"]),
        ])
    return _table(head, rows)


def _cold_table(found):
    head = ["question", *(TITLES[name] for name in found.names), "against the better", "floor", "",
            *(f"{TITLES[name]}, from process start" for name in found.names)]
    rows = [[
        row["question"], *(_seconds(row["seconds"][name]) for name in found.names), _times(row["ratio"]),
        _times(row["floor"]), row["verdict"], *(_seconds(row["from_process_start"][name]) for name in found.names),
    ] for row in cold_ratios(found)]
    return _table(head, rows)


def _load_table(found):
    head = ["", *(TITLES[name] for name in found.names)]
    rows = [
        ["load", *(_seconds(found.loads[name]["seconds"]) for name in found.names)],
        ["on disk", *(_size(found.loads[name]["sizes"]) for name in found.names)],
        ["peak memory of load", *(_bytes(found.loads[name]["peak_bytes"]) for name in found.names)],
        ["peak memory of asking", *(_bytes(found.asking[name]["peak_bytes"]) for name in found.names)],
        ["of that, before opening", *(_bytes(found.asking[name]["loaded_bytes"]) for name in found.names)],
    ]
    asked = [[row["name"], *(_times(row[key]) for key in ("ratio", "floor", "goal")), row["verdict"]]
             for row in others(found)]
    return _table(head, rows) + "\n" + _table(["", "ratio", "floor", "goal", ""], asked)


def _questions(found):
    languages = {OURS: "text", "duckdb": "sql", "clickhouse": "sql"}
    parts = []
    for question in found.asked.questions:
        parts.append(f"### {question.title}\n")
        for name in found.names:
            parts.append(f"{TITLES[name]}:\n\n```{languages[name]}\n{question.text(name, found.asked.skew)}\n```\n")
    return "\n".join(parts)


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _size(sizes):
    parts = [name for name in ("graph", "history", "event ids") if name in sizes]
    return _bytes(sizes["all"]) if "all" in sizes else ", ".join(f"{name} {_bytes(sizes[name])}" for name in parts)


def _seconds(seconds):
    if seconds is None:
        return "–"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.{1 if seconds < 0.1 else 0}f} ms"


def _times(ratio, at_least=False):
    if ratio is None:
        return "–"
    return ("> " if at_least else "") + (f"{ratio:.0f}x" if ratio >= 20 or ratio == int(ratio) else f"{ratio:.2g}x")


def _bytes(size):
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _count(number):
    return "?" if number is None else f"{number:,}"
