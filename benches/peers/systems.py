"""The three systems: how each is loaded, asked and weighed."""

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from peer import Failed, Peer
from questions import of_skew

HERE = Path(__file__).resolve().parent
TITLES = {"throughline": "Throughline", "duckdb": "DuckDB", "clickhouse": "ClickHouse"}


@dataclass
class Tools:
    """What the systems are run with."""

    python: Path
    binaries: Path
    threads: int
    skew: str | None = None
    # Megabytes of Throughline's page cache, where not its usual ones.
    cache: int | None = None


class System:
    """A system with the store it has, or will have, in a folder."""

    def __init__(self, name, folder, tools):
        self.name = name
        self.title = TITLES[name]
        self.tools = tools
        self.store = folder / f"{name}.db"

    def peer(self):
        """A process that answers questions."""
        if self.name == "throughline":
            command = [self.tools.binaries / "peer", self.store, *([self.tools.cache] if self.tools.cache else [])]
        else:
            command = [self.tools.python, HERE / "drivers" / f"{self.name}_peer.py", self.store]
        return Peer([str(part) for part in command], self.tools.threads)

    def load(self, parquet):
        """Makes the store of a history anew: seconds until it is durable, and peak memory."""
        self.remove()
        if self.name == "throughline":
            command = [self.tools.binaries / "throughline", "import", self.store, parquet]
        else:
            driver = HERE / "drivers" / f"{self.name}_peer.py"
            sql = of_skew(HERE / self.name / "load.sql", self.tools.skew)
            command = [self.tools.python, driver, self.store, "load", sql, parquet, self.tools.threads]
        began = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        if process.returncode != 0:
            raise Failed(f"{self.title} could not load {parquet}: status {process.returncode}")
        if self.name != "throughline":
            # Without the start of the interpreter.
            seconds = json.loads(said)["seconds"]
        return {"seconds": seconds, "peak_bytes": usage.ru_maxrss * 1024}

    def sizes(self):
        """Bytes on disk, by part."""
        if self.name == "throughline":
            command = [self.tools.binaries / "throughline", "info", self.store, "--format", "json"]
            info = json.loads(subprocess.run([str(part) for part in command], capture_output=True, check=True).stdout)
            event_ids = info["event_id_bytes"]
            return {
                "graph": info["graph_bytes"] - event_ids,
                "history": info["history_bytes"],
                "event ids": event_ids,
                "customers": info["customers"],
                "interactions": info["interactions"],
            }
        if self.name == "duckdb":
            return {"all": self.store.stat().st_size}
        # Parts that were merged lie around for some minutes; they are not counted.
        peer = self.peer()
        query = "SELECT sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = 'default'"
        size = peer.ask(query, {}, 60)["rows"][0][0]
        peer.close()
        return {"all": int(size)}

    def remove(self):
        """Removes the store."""
        for path in (self.store, self.store.with_name(self.store.name + ".wal")):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()
