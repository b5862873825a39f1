"""Pages whose tables are written from measurements: never stale, and honest where none is there."""

from dataclasses import replace
from pathlib import Path

import pytest

from runtime import records
from runtime.backends.tuned import Machine
from runtime.errors import ArtifactError, ProofError, SettingError
from runtime.measure.memory_growth import Memory, SoakReport
from runtime.measure.reports import Audiobook, BenchReport, Crowd
from runtime.measure.timing import Spread
from tests.report.test_write import bench
from workflow_scripts.proof.javascript import JavaScriptReport, Spoken
from workflow_scripts.proof.words.reports import Figures, WordsReport
from workflow_scripts.report import results
from workflow_scripts.report.results import COMMANDS, TABLES, filled

PAGE = "Before.\n\n<!-- results: {} {} -->\nold\n<!-- end of results -->\n\nAfter.\n"
FIGURES = Figures(300, 0.22, 1.0, 1.01, 1.66, 0.99, 8.2)
TWICE = Spread(2.0, 2.0, 2.0)


def in_use() -> BenchReport:
    """A benchmark with eight users and a long text."""
    report = bench()
    crowd = Crowd(Spread(90.0, 90.0, 90.0), TWICE, TWICE, TWICE, 40.0, 50.0, 1.0)
    book = Audiobook(30.0, Spread(0.25, 0.25, 0.25), TWICE)
    ours = replace(report.candidates["a on auto"], users={8: crowd}, audiobook={8: book})
    return replace(report, candidates={**report.candidates, "a on auto": ours})


MEMORY = Memory(100_000_000, 1, 2, 50, 120_000_000, 3, 170_000.0, 1.0, True)
MEASURED = {
    "steps": ("default_voice.json", bench()),
    "sentence": ("default_voice.json", bench()),
    "use": ("default_voice.json", in_use()),
    "words": ("words.json", WordsReport(100, (), 356, "measured", {"fp32": {"all": FIGURES}})),
    "memory": (
        "memory.json",
        SoakReport(200, 90.0, MEMORY, (), machine=Machine("Z80", 1, {}), bundle="b",
                   manifest_sha256="", backends={}, threads=2),
    ),
    "javascript": (
        "javascript.json",
        JavaScriptReport("Z80", 2, 5, "2026-12-01", "v20.1.0", True,
                         {"fp32, Node": Spoken(500, 90, 0.25, 200)}),
    ),
}  # fmt: skip
WANTED = {
    "steps": ("| 900 | 18.0 | 18.0 (1.0 times faster) |", "2026-11-30, commit 0123456789"),
    "sentence": ("| total, ms | 500 (1.0) | 500 (1.0) |", "| memory at most, MB | 300 | 300 |"),
    "use": (
        "| one user, real-time factor | 0.125 (1.0) | 0.125 (1.0) |",
        "| 8 at once, tokens/s |  | 90 (2.0) |",
        "| 8 at once, first sound (p95), ms |  | 40 (50) |",
        "| a long text, voice for 8, real-time factor |  | 0.250 (2.0) |",
    ),
    "words": ("| fp32 | 22.0 % | 100 % | 1.01 | 99 % |",),
    "memory": ("| 200 utterances, MB | 100 | 0 | 0 | 120 | +0.17 |",),
    "javascript": ("| fp32, Node | 500 | 90 | 0.250 | 200 |", "Node v20.1.0", "busy"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_table_is_made_of_its_measurement(kind: str, tmp_path: Path) -> None:
    name, report = MEASURED[kind]
    (tmp_path / name).write_text(records.text(report), "utf-8")
    page = filled(PAGE.format(kind, name), tmp_path)
    assert page.startswith("Before.") and page.endswith("After.\n")
    assert "\nold\n" not in page
    assert f"\n    {COMMANDS[name]}\n" in page
    for words in WANTED[kind]:
        assert words in page, page
    assert filled(page, tmp_path) == page


def test_what_was_not_measured_is_said_with_its_command(tmp_path: Path) -> None:
    page = filled(PAGE.format("steps", "full_size.json"), tmp_path)
    assert "Not measured with this version yet" in page
    assert COMMANDS["full_size.json"] in page


def test_the_pages_of_the_project_are_not_stale() -> None:
    results.main(["--check"])


def test_a_stale_page_fails_and_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.format("steps", "full_size.json"), "utf-8")
    options = [f"{page}", "--results", f"{tmp_path}"]
    with pytest.raises(ProofError, match=r"page\.md: its tables are stale; python -m workflow"):
        results.main([*options, "--check"])
    results.main(options)
    assert capsys.readouterr().out == f"{page}: written\n"
    results.main([*options, "--check"])


def test_a_table_that_nothing_makes_is_refused(tmp_path: Path) -> None:
    for kind, name in (("stps", "words.json"), ("steps", "other.json")):
        with pytest.raises(SettingError, match=f"results: {kind} {name}: known are steps, "):
            filled(PAGE.format(kind, name), tmp_path)
    (tmp_path / "words.json").write_text("{}", "utf-8")
    with pytest.raises(ArtifactError, match=r"words\.json: missing key .*; measure it again"):
        filled(PAGE.format("words", "words.json"), tmp_path)
