"""What an addition touches: each is made in a copy of the code, counted, and used there.

The numbers are the table of CONTRIBUTING.md. An edit replaces a piece of text that stands once.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COPIED = ("runtime", "workflow_scripts", "config")


@dataclass(frozen=True)
class Addition:
    """What is added.

    Attributes:
        most: files that it may touch.
        edits: file → what stands there, and what is put in its place; "" makes the file.
        proof: Python that uses it, through what derives from the table.
    """

    most: int
    edits: dict[str, list[tuple[str, str]]]
    proof: str


ADDITIONS = {
    "a precision": Addition(
        1,
        {
            "workflow_scripts/variants/precisions.py": [
                (
                    'Precision] = {\n    "fp32": Precision(',
                    'Precision] = {\n    "twin": Precision(\n'
                    '        _unchanged, _every_graph, "fp32 again", EXACT_BARS, "as it"\n    ),\n'
                    '    "fp32": Precision(',
                )
            ]
        },
        """
from pathlib import Path
from workflow_scripts import settings
from workflow_scripts.variants import reduce
assert "twin" in settings.choices()["precision"]
schema = settings.schema_of(Path("config/schema.yaml"), settings.choices())
assert "twin" in schema["$defs"]["precision"]["enum"]
import contextlib, io
printed = io.StringIO()
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(printed):
    reduce.main(["--help"])
assert "twin" in printed.getvalue()
""",
    ),
    "a metric": Addition(
        1,
        {
            "workflow_scripts/proof/metrics.py": [
                (
                    "METRICS: dict[str, Metric] = {\n",
                    "METRICS: dict[str, Metric] = {\n"
                    '    "l1": Metric(max_abs, "", "lower", "as the largest difference"),\n',
                )
            ]
        },
        """
import numpy as np
from workflow_scripts.proof import bars
from workflow_scripts.proof.metrics import METRICS
assert bars.split("audio_l1")[1] == "l1"
assert METRICS["l1"].fits("audio", np.zeros(1, np.float32))
""",
    ),
    "a setting": Addition(
        1,
        {
            "runtime/model_settings.py": [
                (
                    "_ROWS = (\n",
                    '_ROWS = (\n    Setting("breath", float, "how loud it is", "sound",\n'
                    "            default=0.5, low=0, high=2, optional=True),\n",
                ),
                (
                    "    top_k: int | None = None\n",
                    "    top_k: int | None = None\n    breath: float | None = None\n",
                ),
                ("    top_k: int | None\n", "    top_k: int | None\n    breath: float | None\n"),
            ]
        },
        """
from runtime.errors import SettingError
from runtime.settings import Settings, from_body
from runtime.tts import parser
assert "--breath" in parser().format_help()
assert from_body({"breath": "0.7"}, "openai") == {"breath": 0.7}
assert Settings(breath=0.25).breath == 0.25
try:
    Settings(breath=3)
except SettingError as error:
    assert "breath: 3 is not between 0 and 2" in str(error)
else:
    raise AssertionError
""",
    ),
    "a language": Addition(
        2,
        {
            "runtime/text/languages.py": [
                (
                    "LANGUAGES: dict[str, Language] = {\n",
                    "LANGUAGES: dict[str, Language] = {\n"
                    '    "eo": Language("Esperanto", (), "bona 5"),\n',
                )
            ],
            "runtime/text/eo.py": [
                (
                    "",
                    '"""Esperanto, as if it were a word of English."""\n\n'
                    "from runtime.text.phonemes import Reading\n\n\n"
                    "def read(text, table, lexicon=None):\n"
                    '    return Reading(["HH", "AH0", "L", "OW1"], [4], text)\n',
                )
            ],
        },
        """
from runtime.text import MODES, phonemize
from runtime.tts import parser
assert "eo" in MODES
assert "eo" in parser().format_help()
assert list(phonemize("bona", "eo", "v2").phones) 
""",
    ),
    "a back end": Addition(
        2,
        {
            "runtime/backends/__init__.py": [
                (
                    "BACKENDS: dict[str, Backend] = {\n",
                    "BACKENDS: dict[str, Backend] = {\n"
                    '    "mine": Backend("runtime.backends.mine", "a back end of mine"),\n',
                )
            ],
            "runtime/backends/mine.py": [
                (
                    "",
                    '"""As on the CPU."""\n\nfrom runtime.backends.cpu import open_graph\n\n'
                    '__all__ = ["missing", "open_graph"]\n\n\n'
                    'def missing():\n    """Never."""\n',
                )
            ],
        },
        """
from runtime.backends import BACKENDS
from runtime.backends.choices import choose
from runtime.measure.tuning import TRIED
from runtime.tune import parser
assert set(choose("mine").backends.values()) == {"mine"}
assert choose("vocoder=mine").backends["vocoder"] == "mine"
assert "mine" in TRIED and "mine" in parser().format_help()
""",
    ),
    "a family of a known kind": Addition(
        1,
        {
            "workflow_scripts/checkpoint/families.py": [
                (
                    "FAMILIES: dict[str, Family] = {\n",
                    'FAMILIES: dict[str, Family] = {\n    "v2Max": Family(headers=("09",)),\n',
                )
            ]
        },
        """
from workflow_scripts.checkpoint.families import HEADERS, SUPPORTED
from workflow_scripts.checkpoint import families
assert HEADERS["09"] == "v2Max" and "v2Max" in SUPPORTED
assert families.FAMILIES["v2Max"].graphs == ("quantizer", "style", "prior", "vocoder")
""",
    ),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in COPIED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("addition", ADDITIONS.values(), ids=ADDITIONS)
def test_an_addition_touches_few_files_and_is_found_by_itself(
    copy: Path, addition: Addition
) -> None:
    assert len(addition.edits) <= addition.most
    for name, edits in addition.edits.items():
        path = copy / name
        text = path.read_text("utf-8") if path.exists() else ""
        for there, put in edits:
            assert text.count(there) == 1 if there else not text, (name, there)
            text = text.replace(there, put) if there else put
        path.write_text(text, "utf-8")
    run = subprocess.run(
        [sys.executable, "-c", addition.proof],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        text=True,
        capture_output=True,
    )
    assert run.returncode == 0, run.stderr
