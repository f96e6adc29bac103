"""A system in a process of its own, asked by lines of JSON."""

import json
import os
import select
import subprocess
import time


class Timeout(Exception):
    """No answer came in time; the process was ended."""


class Failed(Exception):
    """The system answered with an error, or went away."""


class Peer:
    """A running system. It is started for the first question, and again after a timeout."""

    def __init__(self, command, threads):
        self.command = command
        self.threads = threads
        self.process = None
        self.waiting = b""
        self.version = None
        self.loaded_bytes = 0
        self.peak_bytes = 0
        self.started = 0.0

    def start(self):
        """Starts the process, and waits until its modules are loaded."""
        self.started = time.perf_counter()
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.waiting = b""
        self.version = self._read(120).get("version")
        self.loaded_bytes = high_water(self.process.pid)

    def ask(self, query, params, timeout):
        """The answer; `started_seconds` in it runs from the start of the process."""
        if self.process is None:
            self.start()
        request = {"query": query, "params": params, "threads": self.threads}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        answer = self._read(timeout)
        answer["started_seconds"] = time.perf_counter() - self.started
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def close(self):
        """Ends the process, and remembers the most memory that it took."""
        if self.process is None:
            return
        self.peak_bytes = max(self.peak_bytes, high_water(self.process.pid))
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process = None

    def _read(self, timeout):
        until = time.perf_counter() + timeout
        out = self.process.stdout.fileno()
        while b"\n" not in self.waiting:
            left = until - time.perf_counter()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                self.process.kill()
                self.close()
                raise Timeout
            part = os.read(out, 1 << 20)
            if not part:
                self.close()
                raise Failed(f"{self.command[0]} ended")
            self.waiting += part
        line, self.waiting = self.waiting.split(b"\n", 1)
        return json.loads(line)


def high_water(pid):
    """The most memory that a process has had in RAM, in bytes; 0 where it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
