"""The command that puts JavaScript beside Python, and its table."""

import json
import shutil
from pathlib import Path

import pytest

from runtime import records
from runtime.errors import ArtifactError, ProofError
from tests.native.voices import default_voice
from workflow_scripts.proof import javascript
from workflow_scripts.proof.javascript import JavaScriptReport, main

PACKAGE = javascript.PROGRAM.parent / "node_modules/onnxruntime-node"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.skipif(not PACKAGE.is_dir(), reason="onnxruntime-node is not installed (make js)")
def test_both_are_measured_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "javascript.json"
    bundle = f"{default_voice('int8')}"
    main(["-m", bundle, "--rounds", "1", "--threads", "1", "--json", f"{written}"])
    report = records.read(JavaScriptReport, written, ArtifactError, "")
    assert list(report.sides) == ["int8, Python", "int8, Node"]
    for side in report.sides.values():
        assert min(side.load_ms, side.first_ms, side.rtf, side.memory_mb) > 0
    assert capsys.readouterr().out.startswith("int8, Python: load ")


def test_other_tokens_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = iter(range(10))

    def run(command: list[str]) -> str:
        made = {"tokens": [next(counted)], "load_ms": 1, "first_ms": 1, "rtf": 1, "memory_mb": 1}
        return json.dumps(made)

    monkeypatch.setattr(javascript, "_run", run)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/env")
    (tmp_path / "manifest.json").write_text('{"precision": "fp32"}')
    with pytest.raises(ProofError, match="Python and JavaScript spoke other tokens; report it"):
        main(["-m", f"{tmp_path}", "--rounds", "1"])
