"""The report of a measurement on a GPU for people, and what of it stays behind its bars."""

from collections.abc import Iterator
from dataclasses import dataclass

from workflow_scripts.proof.gpu.plan import REPLAYED, SAMPLED
from workflow_scripts.proof.gpu.reports import (
    GpuReport,
    Outcome,
    Reached,
    Row,
    Speech,
    not_measured,
)

FASTEST, REFERENCE = REPLAYED, f"fixed cache fp16{SAMPLED}{REPLAYED}"


@dataclass(frozen=True)
class Aim:
    """How fast a data-centre GPU is to be.

    Attributes:
        number: that counts.
        more: whether a larger number is better.
    """

    number: float
    more: bool = False


AIMS = {
    "t2s_tokens_per_s": Aim(2000, more=True),
    "t2s_times_pytorch": Aim(2, more=True),
    "rtf": Aim(0.03),
    "first_sound_ms": Aim(100),
    "memory_mb": Aim(1000),
}


def aims(report: GpuReport) -> dict[str, Reached]:
    """What was reached of each aim, at fp16; not measured where a part of it was not."""
    loops = [
        row.tokens_per_s
        for name, row in report.loop.items()
        if "fp16" in name and FASTEST in name and row.tokens_per_s
    ]
    speech, pytorch = report.speech.get("fp16"), report.pytorch.get(REFERENCE)
    fastest, reference = max(loops, default=None), pytorch.tokens_per_s if pytorch else None
    first = speech.first_sound_ms if speech else None
    held = speech.memory.bytes if speech and speech.memory else None
    on_gpu = report.machine.gpu is not None
    found = {
        "t2s_tokens_per_s": fastest,
        "t2s_times_pytorch": fastest / reference if fastest and reference else None,
        "rtf": speech.rtf if speech else None,
        "first_sound_ms": first.median if first else None,
        "memory_mb": held / 1e6 if held else None,
    }
    return {
        name: _reached(number if on_gpu else None, AIMS[name]) for name, number in found.items()
    }


def _reached(number: float | None, aim: Aim) -> Reached:
    if number is None:
        reason = "needs a GPU and all that it is made of"
        return Reached(not_measured(Reached, reason).state, aim.number)
    good = number >= aim.number if aim.more else number <= aim.number
    state = "reached" if good else "not reached"
    return Reached(f"{state} (aim {aim.number:g})", aim.number, number)


def table(report: GpuReport) -> str:
    """The report for people."""
    machine = report.machine
    gpu = machine.gpu or f"CPU stand-in: {machine.record['missing'] or 'no GPU used'}"
    busy = " BUSY: don't go by these figures" * bool(report.busy)
    lines = [f"{gpu}; reads {report.bandwidth_gb_per_s:.1f} GB/s;{busy}"]
    for part, rows in report.compared.items():
        lines += ["", part, *(_row_line(name, row) for name, row in rows.items())]
    for name, speech in report.speech.items():
        lines += ["", *_speech_lines(f"speech, decoder {name}", speech)]
    lines += ["", "aims at fp16"]
    for name, reached in report.aims.items():
        found = "" if reached.found is None else f"{reached.found:9.4g}  "
        lines.append(f"  {name:44} {found}{reached.state}")
    return "\n".join([*lines, ""])


def _speech_lines(head: str, speech: Speech) -> Iterator[str]:
    yield f"{head}  {speech.state}"
    times = {
        "prefill": speech.prefill_ms,
        "first_sound": speech.first_sound_ms,
        "total": speech.total_ms,
    }
    for name, value in times.items():
        if value is not None:
            yield f"  {name:44} {value.median:9.2f} ms"
    if speech.rtf is not None:
        yield f"  {'rtf':44} {speech.rtf:9.4f}"
    if speech.memory is not None:
        held = speech.memory.bytes
        size = "" if held is None else f"{held / 1e6:9.0f} MB  "
        yield f"  {'device memory':44} {size}{speech.memory.state}"


def line(part: str, name: str, found: Outcome) -> str:
    """One result, as soon as it is there."""
    took = "" if found.seconds is None else f"{found.seconds:6.1f} s"
    what = _row_line(name, found) if isinstance(found, Row) else f"  {name:44} {found.state}"
    return f"{took:9}{part:8}{what}"


def _row_line(name: str, row: Row) -> str:
    times = "".join(f"{at} rows {ms.median:7.3f} ms  " for at, ms in row.step_ms.items())
    if row.ms is not None:
        times = f"{row.ms.median:9.2f} ms  "
    if row.ms_per_token is not None:
        times = f"{row.ms_per_token.median:7.3f} ms a token  "
    moved = row.bytes_per_step
    bus = f"{moved.to_device + moved.to_host} bytes over the bus  " if moved else ""
    return f"  {name:44} {times}{bus}{row.state}"


def missed(report: GpuReport) -> list[str]:
    """Names of rows that are over a bar."""
    return [
        f"{part}: {name}"
        for part, rows in report.compared.items()
        for name, row in rows.items()
        if row.missed
    ]
