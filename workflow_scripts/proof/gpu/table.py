"""The report of a measurement on a GPU for people, and what of it stays behind its bars."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workflow_scripts.proof.gpu.trials import MISSED, Report, not_measured

COMPARED = ("graphs", "steps", "loop", "pytorch")  # parts whose rows are held against the CPU
FASTEST, REFERENCE = "CUDA graph", "fixed cache fp16 CUDA graph"


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


def aims(report: Mapping[str, Any]) -> Report:
    """What was reached of each aim, at fp16; not measured where a part of it was not."""
    loops = [
        row["tokens_per_s"]
        for name, row in report["loop"].items()
        if "fp16" in name and FASTEST in name and row.get("tokens_per_s")
    ]
    speech, pytorch = report["speech"].get("fp16", {}), report["pytorch"].get(REFERENCE, {})
    fastest, reference = max(loops, default=None), pytorch.get("tokens_per_s")
    held = speech.get("memory", {}).get("bytes")
    on_gpu = report["machine"]["gpu"] is not None
    found = {
        "t2s_tokens_per_s": fastest,
        "t2s_times_pytorch": fastest / reference if fastest and reference else None,
        "rtf": speech.get("rtf"),
        "first_sound_ms": speech.get("first_sound_ms", {}).get("median"),
        "memory_mb": held / 1e6 if held else None,
    }
    return {
        name: _reached(number if on_gpu else None, AIMS[name]) for name, number in found.items()
    }


def _reached(number: float | None, aim: Aim) -> Report:
    if number is None:
        return not_measured("needs a GPU and all that it is made of") | {"aim": aim.number}
    good = number >= aim.number if aim.more else number <= aim.number
    state = "reached" if good else "not reached"
    return {"state": f"{state} (aim {aim.number:g})", "found": number, "aim": aim.number}


def table(report: Mapping[str, Any]) -> str:
    """The report for people."""
    machine = report["machine"]
    gpu = machine["gpu"] or f"rehearsal on the CPU: {machine['record']['missing'] or 'no GPU used'}"
    busy = " BUSY: don't go by these figures" * bool(report["busy"])
    lines = [f"{gpu}; reads {report['bandwidth_gb_per_s']:.1f} GB/s;{busy}"]
    for part in COMPARED:
        lines += ["", part, *(_step_line(name, row) for name, row in report[part].items())]
    for name, row in report["speech"].items():
        lines += ["", *_speech_lines(f"speech, decoder {name}", row)]
    lines += ["", "aims at fp16"]
    for name, row in report["aims"].items():
        found = f"{row['found']:9.4g}  " if "found" in row else ""
        lines.append(f"  {name:44} {found}{row['state']}")
    return "\n".join([*lines, ""])


def _speech_lines(head: str, row: Mapping[str, Any]) -> Iterator[str]:
    yield f"{head}  {row['state']}"
    for name, value in row.items():
        if name.endswith("_ms"):
            yield f"  {name[:-3]:44} {value['median']:9.2f} ms"
    if "rtf" in row:
        yield f"  {'rtf':44} {row['rtf']:9.4f}"
    if "memory" in row:
        held = row["memory"].get("bytes")
        size = "" if held is None else f"{held / 1e6:9.0f} MB  "
        yield f"  {'device memory':44} {size}{row['memory']['state']}"


def _step_line(name: str, row: Mapping[str, Any]) -> str:
    times = "".join(
        f"{at} rows {spread['median']:7.3f} ms  " for at, spread in row.get("step_ms", {}).items()
    )
    if "ms" in row:
        times = f"{row['ms']['median']:9.2f} ms  "
    if "ms_per_token" in row:
        times = f"{row['ms_per_token']['median']:7.3f} ms a token  "
    moved = row.get("bytes_per_step")
    bus = f"{moved['to_device'] + moved['to_host']} bytes over the bus  " if moved else ""
    return f"  {name:44} {times}{bus}{row['state']}"


def missed(report: Mapping[str, Any]) -> list[str]:
    """Names of rows that are over a bar."""
    return [
        f"{part}: {name}"
        for part in COMPARED
        for name, row in report[part].items()
        if row["state"].startswith(MISSED)
    ]
