"""Private words for the field's terms: each is named with what to write in its place."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

WORDS = {  # prose in any case, names of code as they are written
    r"(?i)\b(rivals?|entrants?)\b": "candidate",
    r"(?i)\byardsticks?\b": "reference",
    r"(?i)\btold\b": "printed, reported, named",
    r"(?i)\b(heard|hears|listens|listened)\b": "encoded, encodes, audible",
    r"(?i)\b(turn by|by) turns?\b": "in alternating runs",
    r"(?i)\b(plain|recorded)[ _]turns?\b|\bplain_because\b": "eager step, CUDA graph replay",
    r"\.puts\b|\"puts\"|\bputs_of\b|\bPut\(": "I/O tensors",
    r"(?i)\blive rows\b": "cached positions",
    r"(?i)\bmoving dims?\b|\bdims? (that )?moves?\b|\bstands? still\b": "dynamic, static",
    r"(?i)\bspelled anew\b|\brespelled\b(?! in)|\battention (is )?spell|\bspells attention\b": (
        "attention implementation"
    ),
    r"\b(form_for|loop_form|default_form)\b": "attention implementation",
    r"(?i)\b(penalised|raw) scores\b|\bscores_(kl|top1_agreement|max_abs)\b": "logits",
    r"\bcut_short\b|\bCUT_SHORT\b|\bEnding\b|\.endings?\b": "truncated, finish_reason",
    r"\b(Manner|Delivery|Asked|Prepared)\b": "conditioning, settings, request, encoded reference",
    r"(?i)\brehears": "calibration run (tune), CPU stand-in (gpu)",
    r"(?i)\bnumbers on their own\b": "round-to-nearest",
    r"-10000\b": "-1e4, the attention mask value",
    r"(?i)\bgoes over into the new\b": "cross-faded",
    r"(?i)\b(pitch|voice) that never moves\b": "monotone",
    r"(?i)\blikeness\b": "speaker similarity",
}
OLD_NAMES = (r"\bformerly\b|\bFORMERLY\b", "CHANGELOG.md")  # lines and a file that keep them
MEANT = {  # lines in which a word is meant as it is
    "docs/lab_log.md": "My grandmother told us",
    "docs/results.md": "My grandmother told us",
    "docs/serving.md": "listens on",
    "runtime/server/launch.py": "listen",
    "runtime/speech.py": "old name|def (endings|cut_short)",
    "tests/bundle/test_older_bundles.py": "PARITY =|endings",
    "tests/engines/test_engine_files.py": '"puts"',
    "tests/proof/test_verdict.py": "scores_kl",
    "tests/runtime/test_bench.py": '"rivals": {}',
    "tests/runtime/test_encoded_references.py": "chunk.ending",
    "tests/runtime/test_records.py": '"rivals"',
    "tests/runtime/test_subtitles.py": "nothing is heard any more",
}
READ = ("*.py", "*.md", "*.smk", "Snakefile", "*.yaml", "*.js", "*.toml", "Makefile")
NOT_READ = ("tests/golden/", ".ci/words.py")


def private(path: Path) -> Iterator[str]:
    """A line for each private word of a file."""
    meant = MEANT.get(f"{path}")
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if re.search(OLD_NAMES[0], line) or (meant and re.search(meant, line)):
            continue
        for word, better in WORDS.items():
            if found := re.search(word, line):
                yield f"{path}:{number}: {found[0]!r}: write {better}"


def main() -> None:
    """Look at all tracked text."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *READ],
        capture_output=True,
        check=True,
    )
    names = filter(None, listed.stdout.decode().split("\0"))
    paths = [Path(name) for name in sorted(names) if not name.startswith((*NOT_READ, OLD_NAMES[1]))]
    sys.exit("\n".join(line for path in paths if path.is_file() for line in private(path)) or 0)


if __name__ == "__main__":
    main()
