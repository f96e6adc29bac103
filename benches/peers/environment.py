"""What a comparison needs before it can begin: Python packages, release binaries, facts of the machine."""

import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORKSPACE = HERE.parent.parent
TARGET = (WORKSPACE / os.environ.get("CARGO_TARGET_DIR", "target")).resolve()


def python(folder):
    """The interpreter of a virtual environment with the pinned packages, made where it is not there."""
    interpreter = folder / "bin" / "python"
    wanted = (HERE / "requirements.txt").read_text(encoding="utf-8")
    installed = folder / "installed.txt"
    if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        requirements = ["-r", str(HERE / "requirements.txt")]
        subprocess.run([str(interpreter), "-m", "pip", "install", "--quiet", *requirements], check=True)
        installed.write_text(wanted, encoding="utf-8")
    return interpreter


def binaries():
    """The folder of the release binaries, built."""
    for package in (["-p", "throughline-cli", "--bin", "throughline"], ["-p", "throughline-benches", "--bin", "peer"]):
        subprocess.run(["cargo", "build", "--release", "--quiet", *package], cwd=WORKSPACE, check=True)
    return TARGET / "release"


def keep_to(threads):
    """Keeps this process and those that it starts to so many cores, where there are more."""
    cores = sorted(os.sched_getaffinity(0))
    if threads < len(cores):
        os.sched_setaffinity(0, cores[:threads])


def machine():
    """Facts that figures mean nothing without."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": int((_field("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) * 1024,
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
    }


def _field(path, name):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith(name):
                return line.split(":", 1)[1].strip()
    return None


def _commit():
    def git(*arguments):
        done = subprocess.run(["git", *arguments], cwd=WORKSPACE, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changes = " and changes" if git("status", "--porcelain", "-uno") else ""
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + changes
