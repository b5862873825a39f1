"""Write the tables of README.md and docs/results.md from measurements that lie in docs/results/.

A table stands between `<!-- results: KIND FILE -->` and `<!-- end of results -->`; what is between
them is replaced. A measurement that is not there yet is named with the command that makes it.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from runtime import records
from runtime.cli import option, run
from runtime.errors import ArtifactError, ProofError, SettingError
from runtime.files import write_whole
from runtime.measure import reports as bench_reports
from runtime.measure.memory_growth import SoakReport
from runtime.measure.reports import BenchReport, Timings
from runtime.measure.timing import Spread
from workflow_scripts.proof.javascript import JavaScriptReport
from workflow_scripts.proof.words.reports import WordsReport

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "docs/results.md")
FOLDER = ROOT / "docs/results"
BLOCK = re.compile(
    r"(?P<head><!-- results: (?P<kind>\w+) (?P<file>[\w.-]+) -->\n).*?"
    r"(?P<end><!-- end of results -->)",
    re.S,
)
AGAIN = "measure it again"
BUSY = " **The machine was busy: don't go by these figures.**"


COMMANDS: Mapping[str, str] = {  # measurement → what makes it
    "default_voice.json": "python -m workflow_scripts.proof.speed"
    " -m artifacts/bundles/flite/1000/fp32 artifacts/bundles/flite/1000/int8 --provider cpu"
    " --scaling --users 1 2 4 8 --text docs/results/twelve_sentences.txt"
    " --gpt voices/flite/gpt.ckpt --sovits voices/flite/sovits.pth"
    " --json docs/results/default_voice.json",
    "full_size.json": "python -m workflow_scripts.proof.speed"
    " -m BUNDLES/fp32 BUNDLES/int8 BUNDLES/int8_kv8 --provider cpu --users 1 8"
    " --gpt DIR/voice.ckpt --sovits DIR/voice.pth --json docs/results/full_size.json",
    "words.json": "python -m workflow_scripts.proof.words"
    " --voice artifacts/bundles/flite/1000/fp32 artifacts/bundles/flite/1000/int8"
    " --json docs/results/words.json",
    "memory.json": "python -m runtime.soak -m artifacts/bundles/flite/1000/int8"
    " --json docs/results/memory.json",
    "javascript.json": "python -m workflow_scripts.proof.javascript"
    " -m artifacts/bundles/flite/1000/fp32 artifacts/bundles/flite/1000/int8"
    " --json docs/results/javascript.json",
}


def filled(text: str, folder: Path) -> str:
    """A page with its tables written anew.

    Args:
        text: the page.
        folder: where measurements are.

    Raises:
        SettingError: a block asks for a table or file that nothing makes.
        ArtifactError: a measurement can't be read.
    """

    def table(found: re.Match[str]) -> str:
        kind, name = found["kind"], found["file"]
        if kind not in TABLES or name not in COMMANDS:
            raise SettingError(
                f"results: {kind} {name}: known are {', '.join(TABLES)} and {', '.join(COMMANDS)}"
            )
        path, command = folder / name, COMMANDS[name]
        if path.exists():
            body = TABLES[kind](path)
        else:
            body = "Not measured with this version yet; this command measures it:"
        return f"{found['head']}\n{body}\n\n    {command}\n\n{found['end']}"

    return BLOCK.sub(table, text)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _names(report: BenchReport) -> dict[str, Timings]:
    """Candidates by a short name: precision and back end, or the library; the baseline first."""
    baseline = report.candidates[report.baseline]
    others = {n: t for n, t in report.candidates.items() if n != report.baseline}
    named = {
        f"{found.precision}, {name.rpartition(' on ')[2]}" if found.bundle else name: found
        for name, found in others.items()
    }
    return {report.baseline.split(",")[0]: baseline} | named


def _where(report: BenchReport) -> str:
    busy = BUSY if report.busy else ""
    return (
        f"{report.machine.processor}, {report.machine.cores} cores, {report.work.threads} threads,"
        f" reads {report.bandwidth_gb_per_s:.1f} GB/s; {report.work.tokens} new tokens, medians of"
        f" {report.work.rounds} runs; {report.date}, commit {report.commit or 'unknown'}.{busy}"
    )


def steps(path: Path) -> str:
    """Milliseconds of a decode step by cached positions, and times faster than the baseline."""
    report = bench_reports.read(path)
    names = _names(report)
    rows = sorted(next(iter(names.values())).step_ms)
    cells = (
        [f"{row}", *(_step(found, row, first=i == 0) for i, found in enumerate(names.values()))]
        for row in rows
    )
    head = ["cached positions", *(f"{name}, ms" for name in names)]
    return f"{_where(report)}\n\n{_table(head, cells)}"


def _step(found: Timings, row: int, *, first: bool) -> str:
    step = found.step_ms[row]
    if first:
        return f"{step.median:.1f}"
    share = "" if step.share_of_ceiling is None else f"; {100 * step.share_of_ceiling:.0f} %"
    return f"{step.median:.1f} ({step.times_faster.median:.1f} times faster{share})"


def sentence(path: Path) -> str:
    """A whole sentence by part."""
    report = bench_reports.read(path)
    names = _names(report)
    parts = list(next(iter(names.values())).parts_ms)
    rows = [[part, *(f"{t.parts_ms[part].median:.0f}" for t in names.values())] for part in parts]
    lines: list[tuple[str, Callable[[Timings], str]]] = [
        ("total, ms", lambda t: f"{t.total_ms.median:.0f} ({t.total_ms.times_faster.median:.1f})"),
        ("real-time factor", lambda t: f"{t.rtf:.3f}"),
        ("first sound, ms", lambda t: f"{t.ttfa_warm_ms.median:.0f}"),
        ("load in a new process, s", lambda t: f"{t.fresh.load_s:.1f}" if t.fresh else ""),
        ("memory at most, MB", lambda t: _mb(t.fresh.rss_peak_bytes if t.fresh else None)),
        ("disk, MB", lambda t: _mb(t.disk_bytes)),
    ]
    rows += [[words, *(cell(found) for found in names.values())] for words, cell in lines]
    return f"{_where(report)}\n\n{_table(['', *names], rows)}"


def use(path: Path) -> str:
    """One user, several at once, a long text, and the wait for the first sound."""
    report = bench_reports.read(path)
    names = _names(report)
    lines: list[tuple[str, Callable[[Timings], str]]] = [
        ("one user, real-time factor", lambda t: _times(t.rtf, 3, t.total_ms.times_faster)),
        ("first sound, ms", lambda t: f"{t.ttfa_warm_ms.median:.0f}"),
        ("from a new process, s", lambda t: f"{t.fresh.ttfa_cold_s:.1f}" if t.fresh else ""),
    ]
    for n in sorted({n for found in names.values() for n in found.users}):
        lines += [
            (f"{n} at once, tokens/s", partial(_tokens_of, n)),
            (f"{n} at once, first sound (p95), ms", partial(_waited_by, n)),
        ]
    for n in sorted({n for found in names.values() for n in found.audiobook}):
        lines.append((f"a long text, voice for {n}, real-time factor", partial(_book_of, n)))
    rows = [[words, *(cell(found) for found in names.values())] for words, cell in lines]
    return f"{_where(report)}\n\n{_table(['', *names], rows)}"


def _times(value: float, digits: int, times: Spread) -> str:
    return f"{value:.{digits}f} ({times.median:.1f})"


def _tokens_of(users: int, found: Timings) -> str:
    crowd = found.users.get(users)
    return _times(crowd.tokens_per_s.median, 0, crowd.times_tokens) if crowd else ""


def _waited_by(users: int, found: Timings) -> str:
    crowd = found.users.get(users)
    return f"{crowd.first_sound_p50_ms:.0f} ({crowd.first_sound_p95_ms:.0f})" if crowd else ""


def _book_of(users: int, found: Timings) -> str:
    book = found.audiobook.get(users)
    return _times(book.rtf.median, 3, book.times_faster) if book else ""


def _mb(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:.0f}"


def words(path: Path) -> str:
    """Words that a recogniser misses."""
    report = records.read(WordsReport, path, ArtifactError, AGAIN)
    head = ["", "words missed", "ended by itself", "length to flite's", "own speaker"]
    rows = (
        [
            side,
            f"{100 * by['all'].word_error:.1f} %",
            _share(by["all"].ended_by_eos),
            "" if by["all"].duration_ratio is None else f"{by['all'].duration_ratio:.2f}",
            _share(by["all"].own_speaker),
        ]
        for side, by in report.sides.items()
        if "all" in by
    )
    return f"{report.sentences} unseen sentences by each speaker.\n\n{_table(head, rows)}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"


def memory(path: Path) -> str:
    """Resident memory over many utterances."""
    report = records.read(SoakReport, path, ArtifactError, AGAIN)
    found = report.memory
    sizes = (found.loaded_bytes, found.first_bytes, found.warm_bytes, found.last_bytes)
    head = ["", "loaded", "after the first", f"after {found.warm_after}", "at the end", "per 100"]
    growth = f"{found.growth_bytes_per_100 / 1e6:+.2f}"
    row = [f"{report.utterances} utterances, MB", *map(_mb, sizes), growth]
    return f"{report.machine.processor}.\n\n{_table(head, [row])}"


def javascript(path: Path) -> str:
    """The program in examples/js beside Python."""
    report = records.read(JavaScriptReport, path, ArtifactError, AGAIN)
    head = ["", "load, ms", "first sound, ms", "real-time factor", "memory at most, MiB"]
    rows = (
        [
            side,
            f"{one.load_ms:.0f}",
            f"{one.first_ms:.0f}",
            f"{one.rtf:.3f}",
            f"{one.memory_mb:.0f}",
        ]
        for side, one in report.sides.items()
    )
    where = f"{report.processor}, Node {report.node}, medians of {report.rounds} processes"
    busy = BUSY if report.busy else ""
    return f"{where}; {report.date}.{busy}\n\n{_table(head, rows)}"


TABLES: Mapping[str, Callable[[Path], str]] = {
    "steps": steps,
    "sentence": sentence,
    "use": use,
    "words": words,
    "memory": memory,
    "javascript": javascript,
}


def main(argv: list[str] | None = None) -> None:
    """Write the pages, or check that they are as they would be written."""
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.report.results", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("pages", nargs="*", type=Path, default=PAGES, help="(default: ours)")
    option(parser, "--results", type=Path, default=FOLDER, metavar="DIR", help="measurements")
    option(parser, "--check", action="store_true", help="write nothing, fail where one is stale")
    args = parser.parse_args(argv)
    for page in args.pages:
        text = page.read_text("utf-8")
        new = filled(text, args.results)
        if args.check and new != text:
            raise ProofError(f"{page}: its tables are stale; {parser.prog} writes them")
        if not args.check:
            write_whole(page, new)
            sys.stdout.write(f"{page}: {'written' if new != text else 'as it was'}\n")


if __name__ == "__main__":
    run(main)
