"""What a build prints: a line per job, what failed at the end, and nothing twice."""

import io
import logging
from pathlib import Path
from typing import Any

import pytest

from workflow_scripts import progress
from workflow_scripts.progress import HANDLER, install


class Build(logging.Logger):
    """As Snakemake has one, with what it has printed."""

    def __init__(self) -> None:
        super().__init__("build")
        self.printed = io.StringIO()
        handler = logging.StreamHandler(self.printed)
        handler.name = HANDLER
        self.addHandler(handler)


@pytest.fixture
def logger() -> Build:
    return Build()


def say(logger: logging.Logger, text: str, level: int = logging.INFO, **extra: Any) -> None:
    logger.log(level, text, extra=extra)


def job(number: int, words: str | None = None) -> dict[str, Any]:
    info = {"event": "job_info", "jobid": number, "rule_msg": words, "rule_name": "pack_bundle"}
    return info | {"wildcards": {"voice": "mia"}}


def test_each_job_is_a_line_when_it_is_done(logger: Build) -> None:
    assert install(logger, verbose=False)
    say(logger, "Building DAG of jobs...")
    for number, words in ((7, "pack mia"), (8, None)):
        say(logger, "rule pack_bundle: input, output, log ...", **job(number, words))
        say(logger, f"Finished jobid: {number}", event="job_finished", job_id=number)
        say(logger, "", event="progress", done=number - 6, total=2)
    assert logger.printed.getvalue() == "[1/2] pack mia (0 s)\n[2/2] pack bundle mia (0 s)\n"


def test_a_failure_is_told_at_the_end_in_its_own_words(logger: Build, tmp_path: Path) -> None:
    found = install(logger, verbose=False)
    assert found
    logs = {"good.log": "error: mia: too loud; speak softly", "other.log": "Traceback\nKeyError: 1"}
    for name, text in logs.items():
        (tmp_path / name).write_text(f"noise\n{text}\n")
        failed = job(1, f"pack {name}") | {"event": "job_error", "log": [f"{tmp_path / name}"]}
        say(logger, "Error in rule pack_bundle", logging.ERROR, **failed)
    assert logger.printed.getvalue().count("FAILED: pack") == 2
    lines = found.epilogue().splitlines()
    assert lines[0] == "2 failed:"
    assert lines[2:4] == ["  pack good.log", "error: mia: too loud; speak softly"]
    assert "    KeyError: 1" in lines
    assert lines[-1] == f"    (all of it: {tmp_path / 'other.log'})"


def test_a_warning_is_printed_once(logger: Build) -> None:
    install(logger, verbose=False)
    for text in ("no GPU", "no GPU", "no disk"):
        say(logger, text, logging.WARNING)
    assert logger.printed.getvalue() == "no GPU\nno disk\n"


def test_all_of_it_is_printed_where_it_is_asked_for(logger: Build) -> None:
    assert install(logger, verbose=True) is None
    assert progress.install(logging.Logger("without the terminal"), verbose=False) is None
    say(logger, "Building DAG of jobs...")
    assert logger.printed.getvalue() == "Building DAG of jobs...\n"
