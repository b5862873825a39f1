"""The model card of a bundle, README.md: what the manifest states, for people.

Derived from the manifest alone, which stays the machine's truth.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runtime.cli import run
from runtime.manifest import Manifest, load
from workflow_scripts.proof.bars import Check, checks
from workflow_scripts.proof.measured import Measured

NAME = "README.md"
UNKNOWN = "not given in the configuration (`voices[].about`)"
ABOUT = {"author": "made by", "licence": "licence", "source": "recordings", "limits": "limits"}
LIMITS = """- Distances are from PyTorch on the same checkpoints, and say nothing of naturalness.
- They were measured in ONNX Runtime on a CPU. What another back end gives was not judged here.
- Phones, prompt and new tokens together fill at most {max_len} rows of cache; longer text is spoken
  sentence by sentence.
- Imitating a person's voice may need that person's consent where you live."""


def card(manifest: Manifest) -> str:
    """The text of README.md."""
    parts = [
        f"# {manifest.voice}",
        f"A GPT-SoVITS voice ({manifest.family}) as ONNX graphs, {manifest.precision}, for the"
        " SoVITS Foundry runtime. No PyTorch is needed to speak.",
        "## Speak it",
        _usage(manifest),
        "## What it is",
        _table(("", ""), _facts(manifest)),
        "## Distance from PyTorch, beside its bars",
        _verdict(manifest),
        "## Limits",
        LIMITS.format(max_len=manifest.max_len),
        "## Files it was made from",
        _table(("file", "sha256"), ((k, f"`{v}`") for k, v in sorted(manifest.sources.items()))),
    ]
    return "\n\n".join(parts) + "\n"


def _usage(manifest: Manifest) -> str:
    lang = manifest.reference.lang
    return (
        '```python\nfrom runtime import Voice\nvoice = Voice.load(".")\n'
        f'voice.synthesize({manifest.reference.text!r}, lang={lang!r}).save("hello.wav")\n```'
    )


def _facts(manifest: Manifest) -> Iterator[tuple[str, str]]:
    about: Mapping[str, Any] = manifest.options.get("about") or {}
    for key, words in ABOUT.items():
        yield words, _cell(f"{about.get(key) or UNKNOWN}")
    yield "family", manifest.family
    yield "precision", manifest.precision
    yield "cache rows", f"{manifest.max_len}"
    yield "sampling rate", f"{manifest.acoustic.sampling_rate_hz} Hz"
    size = sum(file.size_bytes for file in manifest.files.values())
    yield "size", f"{size / 1e6:.1f} MB"
    yield "example", f"\u201c{_cell(manifest.reference.text)}\u201d ({manifest.reference.lang})"
    for name, member in manifest.graphs.items():
        if member.precision != manifest.precision:
            yield f"`{name}`", f"kept at {member.precision}"


def _verdict(manifest: Manifest) -> str:
    bars = manifest.options.get("bars") or {}
    if not bars:
        return "This bundle was packed without its bars."
    rows = (
        check
        for graph, metrics in manifest.parity.items()
        for check in checks(Measured(graph, metrics, ()), bars)
    )
    return _table(("", "output", "metric", "measured", "bar"), map(_row, rows))


def _row(check: Check) -> tuple[str, ...]:
    value = "not finite" if check.value is None else f"{check.value:.4g}"
    mark = "pass" if check.passed else "**miss**"
    where = f"{check.graph} {check.output}"
    return mark, where, check.metric, value, f"{check.direction} {check.bar:g}"


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _cell(text: str) -> str:
    """One line that ends no cell."""
    return " ".join(text.split()).replace("|", "\\|")


def main(argv: list[str] | None = None) -> None:
    """Print the card of a bundle."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("bundle", type=Path, help="folder of a bundle")
    args = parser.parse_args(argv)
    sys.stdout.write(card(load(args.bundle)))


if __name__ == "__main__":
    run(main)
