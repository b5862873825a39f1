"""The page: one file, the same for everybody, with what a reader looks for on top."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from runtime import records
from runtime.errors import ArtifactError, UsageError
from runtime.measure.reports import (
    BenchReport,
    FreshProcess,
    Milliseconds,
    Scaling,
    StepMilliseconds,
    TimedMachine,
    Timings,
    Work,
)
from runtime.measure.timing import Spread
from tests.report import voice
from tests.report.voice import reported
from workflow_scripts.report import write
from workflow_scripts.report.job import VoiceFiles
from workflow_scripts.report.summary import read_summary

ONE = Spread(1.0, 1.0, 1.0)


def ms(median: float) -> Milliseconds:
    return Milliseconds(median, 0.98 * median, 1.02 * median, ONE)


def timings(bundle: str | None, factor: float = 1.0) -> Timings:
    return Timings(
        bundle=bundle,
        step_ms={
            n: StepMilliseconds(**vars(ms(factor * n / 50)), ceiling_ms=1.0) for n in (200, 900)
        },
        step_growth=4.5,
        parts_ms={"prefill": ms(20.0), "steps": ms(400.0), "vocoder": ms(80.0)},
        total_ms=ms(500.0),
        parts_of_total=ONE,
        parts_add_up=True,
        ttfa_warm_ms=ms(90.0),
        rtf=0.125,
        tokens_per_s=200.0,
        sampler_ms_per_token=0.1,
        fresh=FreshProcess(1.5, 2.5, rss_peak_bytes=300_000_000),
        scaling=Scaling({25: ONE, 100: ONE}, {1: ONE, 2: ONE}) if bundle else None,
    )


def bench(factor: float = 1.0) -> BenchReport:
    return BenchReport(
        machine=TimedMachine("Z80", 1, {}, system="CP/M"),
        python="3",
        load_average=0.1,
        busy=False,
        work=Work(tokens=100, rounds=5, threads=2, phones=60, prompt_tokens=150),
        bandwidth_gb_per_s=20.0,
        baseline="PyTorch, cache grown by copying",
        candidates={
            "a on auto": timings("a", factor),
            "PyTorch, cache grown by copying": timings(None),
        },
        date="2026-11-30",
        commit="0123456789",
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> VoiceFiles:
    folder = tmp_path_factory.mktemp("voice")
    found = voice.measured(folder)
    (folder / "bench.json").write_text(records.text(bench()), "utf-8")
    timed = replace(found.bundles[0], bench=f"{folder / 'bench.json'}")
    return replace(found, bundles=(timed,))


@pytest.fixture(scope="module")
def page(files: VoiceFiles, tmp_path_factory: pytest.TempPathFactory) -> str:
    return reported(files, tmp_path_factory.mktemp("page"))[0]


class Links(HTMLParser):
    """Everything that a browser would fetch, and the order of tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [v for k, v in attrs if k in ("src", "href", "data") and v]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_no_other_file(page: str) -> None:
    links = Links(page)
    assert [link for link in links.fetched if not link.startswith(("data:", "#"))] == []
    assert links.open == []
    assert "@import" not in page
    assert page.count("<audio controls") == 3  # PyTorch, fp32, fp32 streamed
    assert page.count("data:audio/flac;base64,") == 3


def test_verdict_worst_figure_size_and_speed_stand_in_the_first_table(page: str) -> None:
    table = page[page.index("<table>") : page.index("</table>")]
    for words in ("tiny/1000/fp32", "pass", "bar: at", " MB", "0.125", "90 ms"):
        assert words in table, words


def test_what_was_timed_and_what_was_not_verified_is_said(page: str) -> None:
    for words in ("Z80", "2026-11-30", "20.0 GB/s", "TensorRT engines: none were built"):
        assert words in page, words
    assert "not measured; snakemake benchmark" not in page


def test_plots_take_the_colour_of_the_page(page: str) -> None:
    plots = re.findall(r"<svg .*?</svg>", page, re.S)
    assert len(plots) == 7
    for svg in plots:
        assert "currentColor" in svg
        assert "#7f7f80" not in svg
        assert 'role="img"' in svg


def test_without_a_benchmark_the_page_says_so(files: VoiceFiles, tmp_path: Path) -> None:
    unmeasured = replace(files, bundles=(replace(files.bundles[0], bench=None),))
    text, _ = reported(unmeasured, tmp_path)
    assert "Speed of fp32, 1000 rows: not measured" in text


def test_the_same_evidence_gives_the_same_page_but_for_its_date(
    files: VoiceFiles, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, second = (reported(files, tmp_path / name)[0] for name in ("a", "b"))
    made = re.compile(r"Written .* UTC")
    assert made.sub("", first) == made.sub("", second)


def test_parts_are_put_together(files: VoiceFiles, tmp_path: Path) -> None:
    reported(files, tmp_path)
    whole, numbers = tmp_path / "all.html", tmp_path / "summary.json"
    parts = [f"{tmp_path / 'voice.json'}"] * 2
    write.main(["--parts", *parts, "--page", f"{whole}", "--output", f"{numbers}"])
    assert [b.name for b in read_summary(numbers).bundles] == ["tiny/1000/fp32"] * 2
    assert whole.read_text("utf-8").count("<section>") == 2


def test_names_are_text_and_never_markup(files: VoiceFiles, tmp_path: Path) -> None:
    text, _ = reported(replace(files, voice="<script>alert(1)</script>"), tmp_path)
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_a_file_that_is_none_is_named(files: VoiceFiles, tmp_path: Path) -> None:
    broken = voice.copied(files, tmp_path / "copy")
    Path(broken.bundles[0].chain).write_text("{}", "utf-8")
    with pytest.raises(ArtifactError, match=r"chain\.json: missing key 'cases'; remove it and bu"):
        reported(broken, tmp_path)
    with pytest.raises(UsageError, match="--voice, --parts: give one of the two"):
        write.main(["--page", "a", "--output", "b"])
