"""Two builds byte by byte: what may differ, and that nothing else may."""

from pathlib import Path

import pytest

from runtime.errors import ArtifactError, ProofError
from workflow_scripts.report import reproducible

FILES = {
    "graphs/a.onnx": "graph",
    "logs/a.log": "took 3 s",
    "report/index.html": "<p>Written 2026-11-30 10:00 UTC by us</p>",
}


def built(folder: Path, changed: dict[str, str]) -> str:
    for name, text in (FILES | changed).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return f"{folder}"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"logs/a.log": "took 9 s"}, ""),
        ({"report/index.html": FILES["report/index.html"].replace("10:00", "11:30")}, ""),
        ({"report/index.html": "other"}, "report/index.html: differs\n"),
        ({"graphs/a.onnx": "Graph"}, "graphs/a.onnx: differs\n"),
        ({"graphs/b.onnx": "b"}, "graphs/b.onnx: only in "),
    ],
)
def test_only_what_is_listed_may_differ(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, str], message: str
) -> None:
    both = [built(tmp_path / "old", {}), built(tmp_path / "new", changed)]
    if not message:
        reproducible.main(both)
        assert capsys.readouterr().out.startswith("all files are equal")
        return
    with pytest.raises(ProofError, match="1 files differ between"):
        reproducible.main(both)
    assert message in capsys.readouterr().out


def test_nothing_is_no_build(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nothing to compare; build first"):
        reproducible.main([f"{tmp_path}", f"{tmp_path}"])
