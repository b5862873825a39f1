"""Who is let in, with what, and what a refusal tells: one test per row of docs/serving.md."""

import base64
import http.client
import io
import os
import socket
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import requests
import soundfile

from runtime.server.guard import has_key
from runtime.server.options import key_digest
from runtime.server.references import inside
from tests import bundles
from tests.server.running import ROOT, Running, server, voices

KEY = "sk-secret"


@pytest.fixture(scope="module")
def running() -> Running:
    return server()


@pytest.fixture(scope="module")
def locked() -> Running:
    return server("--open-lists", "--cors-origin", "https://a.example", SOVITS_API_KEYS=f"x, {KEY}")


def test_paths_do_not_leave_the_folder(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside.wav"
    (root / "below").mkdir(parents=True)
    outside.write_bytes(b"x")
    (root / "a.wav").write_bytes(b"x")
    (root / "link.wav").symlink_to(outside)
    (root / "folder").symlink_to(tmp_path)
    assert inside(root, "a.wav") == inside(root, "A.WAV") == inside(root, "below/../a.wav")
    assert inside(root, str(root / "a.wav")) == root / "a.wav"
    for escape in (
        "../outside.wav", str(outside), "link.wav", "folder/outside.wav", "FOLDER/OUTSIDE.WAV",
        "a.wav\0", "", "below", "..\\outside.wav", "/dev/zero", "below/../../outside.wav",
    ):  # fmt: skip
        assert inside(root, escape) is None, escape


@pytest.mark.parametrize("host", ["[::1", "[evil]", ""])
def test_a_name_that_is_none_is_not_ours(running: Running, host: str) -> None:
    answer = running.get("/health", headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json()["message"].startswith("this server has another name")


@pytest.mark.parametrize("path", ["/tts", "/v1/audio/speech"])
def test_a_number_that_is_none_is_no_json(running: Running, path: str) -> None:
    body = b'{"text": "Hi.", "input": "Hi.", "text_lang": "en", "streaming_mode": 1e999}'
    answer = running.post(path, data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "JSON" in answer.text


def test_a_head_that_never_ends_is_given_up() -> None:
    hasty = server("--header-timeout", "0.3")
    for begun in (b"", b"GET /health HTTP/1.1\r\nHost: local"):
        with socket.create_connection(("127.0.0.1", hasty.ports[0]), timeout=30) as client:
            client.sendall(begun)
            assert client.recv(100) == b""
    assert hasty.get("/health").ok


def test_a_port_that_is_none_is_one_line() -> None:
    command = [sys.executable, "-m", "runtime.serve", "--voices", str(voices()), "--port", "70000"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert run.stderr == "error: --port 70000: ports are 0 to 65535; give another port\n"


def test_a_refusal_does_not_say_whether_a_file_exists_elsewhere(running: Running) -> None:
    messages = {
        running.get("/tts", params={"text": "Hi.", "ref_audio_path": path}).text
        for path in ("/etc/passwd", "/etc/nothing", "../../etc/passwd")
    }
    assert len(messages) == 1
    assert "etc" not in messages.pop()


def test_bundles_behind_a_link_out_of_the_folder_are_not_served(tmp_path: Path) -> None:
    (tmp_path / "away").symlink_to(voices())
    command = [
        sys.executable,
        "-m",
        "runtime.serve",
        "--voices",
        tmp_path,
        "--default-voice",
        "mia",
    ]
    done = subprocess.run(
        [*command, "--port", "0"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    assert "error: --default-voice: no voice is called 'mia'" in done.stderr


@pytest.mark.parametrize(("host", "status"), [
    ("evil.example", 403), ("localhost:99", 200), ("127.0.0.1", 200), ("[::1]:8000", 200),
    ("127.0.0.1.evil.example", 403), ("", 403),
])  # fmt: skip
def test_another_name_of_this_machine_is_refused(running: Running, host: str, status: int) -> None:
    assert running.get("/speakers", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(("headers", "status"), [
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:8000"}, 200),
    ({}, 200),
])  # fmt: skip
def test_pages_of_strangers_change_nothing_and_speak_nothing(
    running: Running, headers: dict[str, str], status: int
) -> None:
    change = running.get("/set_sovits_weights?weights_path=flite", headers=headers)
    speak = running.post("/v1/audio/speech", json={"input": "Hi."}, headers=headers)
    assert (change.status_code, speak.status_code) == (status, status)


def test_without_a_key_there_is_no_sound(locked: Running) -> None:
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer wrong"},
                    {"x-api-key": "wrong"}, {"Authorization": f"Basic {KEY}"}):  # fmt: skip
        answer = locked.post("/v1/audio/speech", json={"input": "Hi."}, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "invalid_api_key"
    for path in ("/tts?text=Hi.", "/?text=Hi.", "/metrics", "/speakers"):
        assert locked.get(path).status_code == 401, path
    assert locked.get(f"/tts?text=Hi.&api_key={KEY}").status_code == 401
    for path in ("/health", "/ready", "/", "/v1/audio/voices", "/v1/models"):
        assert locked.get(path).status_code == 200, path


def test_any_of_the_keys_is_taken_from_any_of_the_headers(locked: Running) -> None:
    for headers in ({"Authorization": f"Bearer {KEY}"}, {"authorization": f"bearer {KEY}"},
                    {"x-api-key": KEY}, {"api-key": "x"}):  # fmt: skip
        assert locked.get("/speakers", headers=headers).status_code == 200


def test_keys_are_compared_by_digest_with_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr("runtime.server.guard.hmac.compare_digest", compare)
    keys = [key_digest(name) for name in ("a", "b", "c")]
    headers = requests.structures.CaseInsensitiveDict({"authorization": "Bearer a"})
    assert has_key(headers, keys)  # type: ignore[arg-type]
    assert [other for _, other in compared] == keys
    assert {len(one) for one, _ in compared} == {32}


def test_other_addresses_need_a_key() -> None:
    command = [sys.executable, "-m", "runtime.serve", "--voices", voices(), "--host", "0.0.0.0"]
    environment = {name: text for name, text in os.environ.items() if name != "SOVITS_API_KEYS"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --host 0.0.0.0: others could speak here without a key;")


def test_pages_that_were_named_may_call(locked: Running) -> None:
    headers = {"Origin": "https://a.example", "x-api-key": KEY}
    answer = locked.get("/speakers", headers=headers)
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    assert "access-control-allow-credentials" not in answer.headers
    other = locked.get("/speakers", headers=headers | {"Origin": "https://b.example"})
    assert "access-control-allow-origin" not in other.headers


def raw(running: Running, headers: dict[str, str], parts: list[bytes]) -> http.client.HTTPResponse:
    """A request whose body is sent as far as the server takes it."""
    connection = http.client.HTTPConnection("127.0.0.1", running.ports[0], timeout=60)
    connection.putrequest("POST", "/v1/audio/speech")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    for part in parts:
        try:
            connection.send(part)
        except OSError:
            break
    return connection.getresponse()


def test_a_body_that_is_too_large_is_not_read(running: Running) -> None:
    size = 80 << 20
    declared = raw(running, {"Content-Length": str(size)}, [b"x" * 100])
    assert (declared.status, declared.getheader("connection")) == (413, "close")
    chunk = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
    counted = raw(running, {"Transfer-Encoding": "chunked"}, [chunk] * 80)
    assert (counted.status, counted.getheader("connection")) == (413, "close")


def test_a_compressed_body_is_refused(running: Running) -> None:
    answer = running.post(
        "/v1/audio/speech", data=zlib.compress(b"{}"), headers={"Content-Encoding": "deflate"}
    )
    assert answer.status_code == 415


def test_control_characters_are_not_spoken(running: Running) -> None:
    said = [running.speech(input=text, response_format="wav").content
            for text in ("Hello there.", "Hel\x00lo\x1b the\x7fre.")]  # fmt: skip
    assert said[0] == said[1]


def test_sound_that_unpacks_to_far_more_is_refused_by_its_length(running: Running) -> None:
    packed = io.BytesIO()
    soundfile.write(packed, np.zeros(32_000 * 3600, np.int16), 32_000, format="FLAC")
    assert len(packed.getvalue()) < 1 << 20
    answer = running.speech(ref_audio=base64.b64encode(packed.getvalue()).decode())
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "ref_audio: longer than 11 s; cut it"


def test_sound_that_is_none_is_refused(running: Running) -> None:
    for content in (b"RIFF" + bytes(2000), bytes(2000), b"\x80\x04" + b"cos\nsystem\n" * 200):
        answer = running.speech(ref_audio=base64.b64encode(content).decode())
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_reference")


def test_a_reference_of_the_wrong_length_is_refused(running: Running) -> None:
    short = io.BytesIO()
    hiss = np.random.default_rng(0).normal(0, 3000, 32_000).astype(np.int16)
    soundfile.write(short, hiss, 32_000, format="WAV")
    body = {"ref_audio": base64.b64encode(short.getvalue()).decode(), "ref_text": bundles.TEXT}
    answer = running.speech(**body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "ref_audio: 1 s long; give 3 to 10 s"


def test_answers_tell_nothing_of_the_machine(running: Running) -> None:
    for answer in (running.get("/health"), running.get("/nothing"), running.speech(input="")):
        assert "server" not in answer.headers
        assert answer.headers["x-content-type-options"] == "nosniff"
        for word in ("/home", "Traceback", "uvicorn", "onnx", str(voices())):
            assert word not in answer.text


def test_control_is_off(running: Running) -> None:
    assert running.get("/control?command=exit").status_code == 403
    assert running.get("/health").status_code == 200


def test_the_page_loads_nothing_from_elsewhere(running: Running) -> None:
    answer = running.get("/")
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    assert (answer.headers["x-frame-options"], answer.headers["referrer-policy"]) == (
        "DENY", "no-referrer",
    )  # fmt: skip
