"""References that clients bring: kept, spoken like, listed, deleted."""

import io
from pathlib import Path

import pytest
import soundfile

from tests.bundles import EXAMPLE
from tests.server.running import Running, server

SAID = "Hello world."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def taking(folder: Path) -> Running:
    return server("--uploads", folder)


def backwards() -> bytes:
    """Another recording than the voice's own."""
    samples, rate = soundfile.read(EXAMPLE)
    sound = io.BytesIO()
    soundfile.write(sound, samples[::-1], rate, format="WAV")
    return sound.getvalue()


def brought(taking: Running, **fields: str) -> str:
    form = {"name": "mine", "ref_text": SAID, "ref_lang": "en", "consent": "yes"} | fields
    files = {"audio_sample": ("mine.wav", backwards(), "audio/wav")}
    answer = taking.post("/v1/audio/voices", data=form, files=files)
    assert answer.status_code == 200, answer.text
    assert answer.json()["object"] == "audio.voice"
    return answer.json()["id"]


@pytest.mark.parametrize("more", [{}, {"ref_audio": None, "ref_text": ""}, {"ref_audio": ""}])
def test_an_upload_is_a_voice_whatever_is_left_empty(
    taking: Running, more: dict[str, object]
) -> None:
    name = brought(taking)
    theirs = taking.speech(voice=name, response_format="wav", **more)
    assert theirs.status_code == 200, theirs.text
    assert theirs.content == taking.speech(voice=name, response_format="wav").content
    assert theirs.content != taking.speech(response_format="wav").content
    assert taking.get(f"/v1/audio/voices?x={name}").json()["uploaded_voices"]


def test_an_upload_is_kept_until_it_is_deleted(taking: Running, folder: Path) -> None:
    name = brought(taking)
    assert {path.suffix for path in folder.glob(f"{name}.*")} == {".flac", ".json"}
    assert taking.delete(f"/v1/audio/voices/{name}").json()["deleted"]
    assert not [*folder.glob(f"{name}.*")]
    assert taking.delete(f"/v1/audio/voices/{name}").status_code == 404
    assert taking.speech(voice=name).status_code == 404


@pytest.mark.parametrize("missing", ["name", "audio_sample"])
def test_what_lacks_a_part_is_refused(taking: Running, missing: str) -> None:
    form, files = {"name": "mine"}, {"audio_sample": ("a.wav", backwards(), "audio/wav")}
    form.pop(missing, None)
    answer = taking.post(
        "/v1/audio/voices", data=form, files=files if missing == "name" else {"x": ("y", b"")}
    )
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, missing)


def test_a_server_that_takes_none_says_so() -> None:
    files = {"audio_sample": ("a.wav", backwards(), "audio/wav")}
    answer = server().post("/v1/audio/voices", data={"name": "mine"}, files=files)
    assert answer.status_code == 404
