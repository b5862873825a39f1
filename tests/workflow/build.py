"""Run the workflow in a folder, and ask it what it would do."""

import multiprocessing
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

SECONDS = 600  # a run may take
PLAIN = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}


def command(*args: str) -> list[str]:
    """The command line; cores come last, so that options with many values don't take them."""
    return [sys.executable, "-m", "snakemake", *args, "--cores", "2"]


def snakemake(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, whatever that is, in a process that has imported Snakemake already."""
    words = command(*args)
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["snakemake.cli", "snakemake.report"])
    with TemporaryDirectory() as logs:
        out, err = Path(logs, "out"), Path(logs, "err")
        run = server.Process(target=_run, args=(str(folder), words[2:], str(out), str(err)))
        run.start()
        run.join(SECONDS)
        if run.exitcode is None:
            run.kill()
            raise subprocess.TimeoutExpired(words, SECONDS)
        return subprocess.CompletedProcess(
            words, run.exitcode, out.read_text("utf-8"), err.read_text("utf-8")
        )


def _run(folder: str, words: list[str], out: str, err: str) -> None:
    """What `python -m` does in this folder and environment, with its output in files."""
    for path, number in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(PLAIN)
    sys.path[0:0] = [folder]
    sys.argv = words
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


def build(folder: Path, *args: str) -> str:
    """Run it, and hand back what it printed."""
    run = snakemake(folder, *args)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def pending(folder: Path, *args: str) -> dict[str, int]:
    """Jobs per rule that the next run would do, `all` left out; {} when nothing."""
    printed = build(folder, *args, "-n", "--quiet", "host", "rules")
    found = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", printed, re.M)}
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
