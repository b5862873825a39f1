"""What a build prints: a line for each finished job, and at the end what failed, in its own words.

Snakemake's own log file, `.snakemake/log/`, keeps everything; `--verbose` and `--printshellcmds`
print it as ever.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

HANDLER = "DefaultStreamHandler"  # Snakemake's name for what writes to the terminal
QUIET = (  # beginnings of what a reader can't use
    "Assuming unrestricted shared filesystem",
    "Building DAG of jobs",
    "Complete log(s)",
    "Conda environments: ignored",
    "Exiting because a job execution failed",
    "Execute ",
    "Finished jobid",
    "Provided cores",
    "Provided resources",
    "Removing temporary output",
    "If you are sure that a change",
    "If you prefer that only modification time",
    "Rules claiming more threads",
    "Rules with provenance triggered jobs",
    "Select jobs to execute",
    "Shutting down, this might take",
    "Some jobs were triggered by provenance",
    "Touching output file",
    "Trying to restart job",
    "Using shell",
    "Using workflow specific profile",
    "Will exit after finishing",
    "Would remove temporary output",
    "host:",
)
DROPPED = {"job_started", "shellcmd", "workflow_started", "resources_info", "debug_dag"}
LAST_LINES = 12  # of a log without an `error:` line


@dataclass
class Progress:
    """What is remembered of a run.

    Attributes:
        words: job → what it does.
        began: job → when.
        last: line of the job that finished last.
        failed: words and log of each job that failed.
        seen: warnings that were printed.
    """

    words: dict[int, str] = field(default_factory=dict)
    began: dict[int, float] = field(default_factory=dict)
    last: str = ""
    failed: list[tuple[str, list[str]]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def line(self, record: logging.LogRecord) -> str | None:
        """What to print of a record; None for nothing."""
        event = f"{getattr(record, 'event', None) or ''}"
        if event in DROPPED:
            return None
        known: dict[str, Callable[[logging.LogRecord], str | None]] = {
            "job_info": self._started,
            "job_finished": self._finished,
            "job_error": self._error,
            "progress": self._progress,
        }
        return known[event](record) if event in known else self._plain(record)

    def _started(self, record: logging.LogRecord) -> None:
        job: int = record.jobid  # type: ignore[attr-defined]
        self.words[job] = described(record)
        self.began[job] = time.monotonic()

    def _finished(self, record: logging.LogRecord) -> None:
        job: int = record.job_id  # type: ignore[attr-defined]
        seconds = time.monotonic() - self.began.get(job, time.monotonic())
        self.last = f"{self.words.get(job, f'job {job}')} ({seconds:.0f} s)"

    def _progress(self, record: logging.LogRecord) -> str:
        done, total = record.done, record.total  # type: ignore[attr-defined]
        return f"[{done}/{total}] {self.last}"

    def _error(self, record: logging.LogRecord) -> str:
        self.failed.append((described(record), [*getattr(record, "log", [])]))
        return f"FAILED: {self.failed[-1][0]} (its message stands at the end)"

    def _plain(self, record: logging.LogRecord) -> str | None:
        text = record.getMessage()
        if not text.strip() or text.startswith(QUIET):
            return None
        if record.levelno == logging.WARNING:
            if text in self.seen:
                return None
            self.seen.add(text)
        return text

    def epilogue(self) -> str:
        """What failed, each with its own message; empty where nothing did."""
        lines = [f"{len(self.failed)} failed:"] if self.failed else []
        for words, logs in self.failed:
            lines += ["", f"  {words}"]
            for log in logs:
                lines += [*own_words(Path(log)), f"    (all of it: {log})"]
        return "\n".join(lines)


def beginning(configfiles: Iterable[str | Path]) -> str:
    """Which configuration is read, in the order in which later files change earlier ones."""
    files = dict.fromkeys(f"{Path(file).resolve()}" for file in configfiles)
    return f"config: {', '.join(files) or 'no file'}; its paths are relative to {Path.cwd()}"


def described(record: logging.LogRecord) -> str:
    """A job in words: the message of its rule, or the rule's name with its wildcards."""
    message = getattr(record, "rule_msg", None)
    if message:
        return f"{message}"
    wildcards = getattr(record, "wildcards", None) or {}
    values = wildcards.values() if hasattr(wildcards, "values") else wildcards
    return " ".join([f"{getattr(record, 'rule_name', 'job')}".replace("_", " "), *map(str, values)])


def own_words(log: Path) -> Iterable[str]:
    """The `error:` lines of a job's log, or its last lines where there is none."""
    if not log.exists():
        return ["    (it left no log)"]
    lines = log.read_text("utf-8", "replace").splitlines()
    return [line for line in lines if line.startswith("error: ")] or [
        f"    {line}" for line in lines[-LAST_LINES:]
    ]


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"{record.__dict__['calm']}"


def install(logger: logging.Logger, verbose: bool) -> Progress | None:
    """Let Snakemake's terminal output be short; None where it stays as it is.

    Args:
        logger: Snakemake's.
        verbose: whether the whole of it was asked for.
    """
    handler = next((one for one in logger.handlers if one.name == HANDLER), None)
    if verbose or handler is None:
        return None
    progress = Progress()

    def calm(record: logging.LogRecord) -> bool:
        line = progress.line(record)
        record.__dict__["calm"] = line
        return line is not None

    handler.filters.insert(0, calm)  # before Snakemake's own, so that --quiet hides no names
    handler.setFormatter(_Formatter())
    return progress
