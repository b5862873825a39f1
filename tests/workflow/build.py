"""Run the workflow in a folder, and ask it what it would do."""

import os
import re
import subprocess
import sys
from pathlib import Path

PLAIN = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}


def command(*args: str) -> list[str]:
    """The command line; cores come last, so that options with many values don't take them."""
    return [sys.executable, "-m", "snakemake", *args, "--cores", "2"]


def snakemake(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, whatever that is."""
    return subprocess.run(
        command(*args), cwd=folder, env=PLAIN, text=True, capture_output=True, timeout=600
    )


def build(folder: Path, *args: str) -> str:
    """Run it, and hand back what it printed."""
    run = snakemake(folder, *args)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def pending(folder: Path, *args: str) -> dict[str, int]:
    """Jobs per rule that the next run would do, `all` left out; {} when nothing."""
    told = build(folder, *args, "-n", "--quiet", "host", "rules")
    found = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", told, re.M)}
    return {rule: n for rule, n in found.items() if rule not in ("all", "total")}


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of everything that was built, but for what tells of the run itself."""
    artifacts = folder / "artifacts"
    passing = ("logs/", "benchmarks/", "raw/")
    return {
        name: path.read_bytes()
        for path in sorted(artifacts.rglob("*"))
        if path.is_file()
        and not (name := path.relative_to(artifacts).as_posix()).startswith(passing)
    }
