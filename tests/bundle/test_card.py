"""The model card: what it says, and that it is only ever derived."""

import re
from pathlib import Path

import pytest

from runtime import Voice
from runtime.manifest import load, verify
from tests import bundles
from workflow_scripts.bundle import card
from workflow_scripts.bundle.card import NAME


def test_every_bundle_has_its_card_which_the_manifest_does_not_list() -> None:
    manifest = load(bundles.v2())
    assert (bundles.v2() / NAME).read_text("utf-8") == card.card(manifest)
    assert NAME not in manifest.files


def test_the_card_names_files_verdict_licence_and_limits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = bundles.copied(bundles.v2(), tmp_path / "bundle")
    measured = {"chain": {"audio_snr_db": 55.0, "logits_kl": 0.5}}
    about = {"licence": "CC0 | public\ndomain"}
    options = {"bars": {"audio_snr_db": 40.0, "kl": 0.1}, "about": about}
    bundles.change_manifest(folder, lambda m: m.update(parity=measured, options=options))
    bundles.change_manifest(folder, lambda m: m["sources"].update(gpt="12ab"))
    card.main([f"{folder}"])
    text = capsys.readouterr().out
    assert "| pass | chain audio | snr_db | 55 | at least 40 |" in text
    assert "| **miss** | chain logits | kl | 0.5 | at most 0.1 |" in text
    assert r"| licence | CC0 \| public domain |" in text
    assert "| made by | not given" in text
    assert "| gpt | `12ab` |" in text


def test_a_changed_card_harms_no_bundle(tmp_path: Path) -> None:
    folder = bundles.copied(bundles.v2(), tmp_path / "bundle")
    bundles.replace_file(folder / NAME, b"my own words")
    verify(folder, load(folder))


def test_its_three_lines_speak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bundles.copied(bundles.v2(), tmp_path / "bundle")
    (code,) = re.findall(r"```python\n(.*?)```", (folder / NAME).read_text("utf-8"), re.S)
    assert len(code.splitlines()) == 3
    monkeypatch.chdir(folder)
    exec(code, {"Voice": Voice})
    assert (folder / "hello.wav").stat().st_size > 1000
