"""Requests of clients that exist, as their sources send them, against a real server process.

Each row of clients.jsonl names client, version, request, and what it does with the answer.
"""

import atexit
import io
import json
import shutil
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import requests
import soundfile

from tests import bundles
from tests.server.running import Running, server

ROWS = [
    json.loads(line)
    for line in Path(__file__).with_name("clients.jsonl").read_text("utf-8").splitlines()
]
HTTP = [row for row in ROWS if row["path"] != "tcp" and "queue full" not in row.get("note", "")]
USUAL = ("--alias", "voice_9=flite", "--alias", "v=flite", "--alias", "aiden=flite")


@cache
def references() -> Path:
    """The files that clients name, whatever they hold elsewhere."""
    root = Path(mkdtemp(prefix="references-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    for name in ("refs/a.wav", "ref/a.wav", "Refs/Happy.WAV"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(bundles.EXAMPLE, root / name)
    return root


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Running:
    return server(*USUAL, "--references", references())


def sent(running: Running, row: dict[str, Any], **how: Any) -> requests.Response:
    headers = {"Host": f"127.0.0.1:{running.ports[0]}", **row["headers"]}
    body = row["body"] if row["body"] is None else json.dumps(row["body"]).encode()
    return requests.request(
        row["method"], running.url + row["path"], params=row["query"], data=body,
        headers=headers, timeout=120, **how,
    )  # fmt: skip


def format_of(content: bytes) -> str:
    """What sound really is, by its first bytes."""
    if content[:4] == b"RIFF":
        return "wav"
    if content[:4] == b"OggS":
        return "opus" if b"OpusHead" in content[:64] else "vorbis"
    if content[:4] == b"fLaC":
        return "flac"
    if content[:2] in (b"\xff\xfb", b"\xff\xf3"):
        return "mp3"
    return "pcm"


def wanted_format(row: dict[str, Any]) -> str:
    asked = {**row["query"], **(row["body"] or {})}
    if row["api"] == "oai":
        return str(asked.get("response_format", "mp3"))
    named = {"ogg": "vorbis", "auto": "wav", "raw": "pcm"}
    word = asked.get("media_type", "wav")
    return str(named.get(word, word)) if row["api"] == "v2" else "wav"


SPEAKING = [
    row
    for row in HTTP
    if row["path"] in ("/v1/audio/speech", "/tts", "/") and row["method"] in ("GET", "POST")
]
LISTING = [row for row in HTTP if row not in SPEAKING and row["path"] != "/dev/captioned_speech"]


def name_of(row: dict[str, Any]) -> str:
    return f"{ROWS.index(row)} {row['client']}"


@pytest.mark.parametrize("row", SPEAKING, ids=name_of)
def test_a_client_gets_the_sound_that_it_asks_for(running: Running, row: dict[str, Any]) -> None:
    answer = sent(running, row)
    if row["client"] == "Open-LLM-VTuber openai":  # its default names a mix of two voices
        assert answer.status_code == 404
        assert "flite" in answer.json()["error"]["message"]
        return
    assert answer.status_code == 200, answer.text
    if "sse" in json.dumps(row["body"]):
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        return
    found = format_of(answer.content)
    assert found == wanted_format(row)
    assert answer.headers["content-type"].startswith("audio/")
    if "content-length" not in answer.headers:
        assert answer.headers["transfer-encoding"] == "chunked"
    elif found == "wav":
        assert struct.unpack_from("<I", answer.content, 40)[0] == len(answer.content) - 44
    if found not in ("pcm", "vorbis"):
        assert soundfile.info(io.BytesIO(answer.content)).duration > 0.2


@pytest.mark.parametrize("row", LISTING, ids=name_of)
def test_a_client_gets_the_list_or_the_change_that_it_asks_for(
    running: Running, row: dict[str, Any]
) -> None:
    answer = sent(running, row)
    assert answer.status_code == 200, answer.text
    if row["method"] == "OPTIONS":
        assert answer.headers["access-control-allow-origin"] == row["headers"]["origin"]
        assert "content-type" in answer.headers["access-control-allow-headers"].lower()
        return
    READS[row["path"]](answer.json())


def _ids(found: list[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in found]


def _models(found: Any) -> None:
    assert found["object"] == "list"
    assert {"tts-1", "flite", "mia"} <= set(_ids(found["data"]))
    assert all({"id", "object", "created", "owned_by"} <= one.keys() for one in found["data"])


def _voices(found: Any) -> None:
    assert _ids(found["voices"]) == [one["name"] for one in found["voices"]] == ["flite", "mia"]


def _speakers(found: Any) -> None:
    assert found == [{"name": name, "voice_id": name} for name in ("flite", "mia")]


def _done(found: Any) -> None:
    assert found == {"message": "success"}


def _open_webui_models(found: Any) -> None:
    assert "tts-1" in _ids(found["models"])


READS: dict[str, Callable[[Any], None]] = {
    "/v1/models": _models,
    "/v1/audio/voices": _voices,
    "/v1/audio/models": _open_webui_models,
    "/speakers": _speakers,
    "/set_gpt_weights": _done,
}


def test_the_browser_may_ask_from_a_public_page_for_this_machine(running: Running) -> None:
    (row,) = (row for row in ROWS if "preflight" in row["client"])
    headers = row["headers"] | {"access-control-request-private-network": "true"}
    answer = sent(running, row | {"headers": headers})
    assert answer.headers["access-control-allow-private-network"] == "true"


def test_each_message_of_live_talking_is_a_file_and_all_are_the_whole(running: Running) -> None:
    (row,) = (row for row in ROWS if row["client"].startswith("LiveTalking"))
    row = row | {"body": row["body"] | {"seed": 7, "text": "你好，我的朋友。明天我们再见。"}}
    answer = sent(running, row, stream=True)
    read = [soundfile.read(io.BytesIO(part)) for part in answer.iter_content(None)]
    whole = sent(running, row | {"body": row["body"] | {"streaming_mode": 0, "media_type": "wav"}})
    assert {rate for _, rate in read} == {32_000}
    assert sum(len(samples) for samples, _ in read) == (len(whole.content) - 44) // 2
    assert len(read) > 1


def test_the_first_message_of_a_stream_is_the_header_alone(running: Running) -> None:
    (row,) = (row for row in ROWS if row["client"].startswith("44-byte"))
    messages = list(sent(running, row, stream=True).iter_content(None))
    assert len(messages[0]) == 44
    assert {len(message) % 2 for message in messages} == {0}
    assert len(messages) > 1


def test_a_page_of_silly_tavern_plays_one_file(running: Running) -> None:
    (row,) = (row for row in ROWS if row["client"] == "SillyTavern gpt-sovits-v2" and row["body"])
    answer = sent(running, row)
    assert answer.headers["access-control-allow-origin"] == row["headers"]["origin"]
    assert answer.content.count(b"\x01vorbis") == 1
    assert soundfile.info(io.BytesIO(answer.content)).duration > 0.3


def test_the_same_seed_gives_the_same_bytes(running: Running) -> None:
    (row,) = (row for row in ROWS if row["client"].startswith("TypeScript"))
    assert sent(running, row).content == sent(running, row).content
