"""OpenAI's speech API, by OpenAI's own package and by plain requests."""

import base64
import io
import json
import wave

import numpy as np
import openai
import pytest
import requests
import soundfile

from runtime import Voice
from runtime.sound.formats import FORMATS, encoded
from tests import bundles
from tests.server.running import Running, server, voices

FORMAT_NAMES = ("mp3", "opus", "flac", "wav", "pcm", "aac")
TEXT = "Hello there."


@pytest.fixture(scope="module")
def running() -> Running:
    return server()


@pytest.fixture(scope="module")
def client(running: Running) -> openai.OpenAI:
    return openai.OpenAI(api_key="sk-any", base_url=f"{running.url}/v1", max_retries=0)


@pytest.fixture(scope="module")
def voice() -> Voice:
    return Voice.load(voices() / "flite/1000/fp32", threads=1, provider="cpu")


def test_the_package_gets_an_mp3_where_nothing_is_said(client: openai.OpenAI) -> None:
    answer = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT)
    assert answer.response.headers["content-type"] == "audio/mpeg"
    assert soundfile.info(io.BytesIO(answer.content)).format == "MP3"


def test_the_package_streams_and_names_the_request(client: openai.OpenAI, running: Running) -> None:
    speech = client.audio.speech.with_streaming_response
    extra = {"seed": 7}
    with speech.create(
        model="m", voice="mia", input=TEXT, response_format="pcm", extra_body=extra
    ) as answer:
        parts = list(answer.iter_bytes())
        assert answer.request_id == answer.headers["x-request-id"]
        assert answer.headers["x-sample-rate"] == "24000"
    assert len(parts) > 2
    assert b"".join(parts) == running.speech(response_format="pcm", voice="mia").content


def test_the_package_lists_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()][-2:] == ["flite", "mia"]
    assert client.models.retrieve("mia").owned_by == "sovits-foundry"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


def test_the_package_shows_why_a_request_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.speech.create(model="m", voice="alloy", input=TEXT, speed=9)
    assert (refused.value.param, refused.value.code) == ("speed", "invalid_value")
    assert "speed: 9 is not between 0.25 and 4" in refused.value.message
    with pytest.raises(openai.NotFoundError) as unknown:
        client.audio.speech.create(model="m", voice="nobody", input=TEXT)
    assert "there are: flite, mia" in unknown.value.message


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_a_whole_answer_is_the_librarys_own_sound(
    running: Running, voice: Voice, name: str
) -> None:
    if FORMATS[name].missing():
        pytest.skip(f"{name} can't be tried: {FORMATS[name].missing()}")
    answer = running.speech(response_format=name.upper(), stream=False, language="en")
    assert answer.headers["content-type"] == FORMATS[name].media_type
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert (answer.headers["x-mode"], answer.headers["x-seed"]) == ("whole", "7")
    speech = voice.synthesize(TEXT, lang="en", seed=7)
    rate = 24_000 if name == "pcm" else None
    assert answer.content == encoded(name, speech.samples, speech.rate, rate=rate)


@pytest.mark.parametrize("name", ["mp3", "opus", "pcm", "wav"])
def test_a_stream_comes_in_pieces_and_has_no_length(running: Running, name: str) -> None:
    answer = requests.post(
        f"{running.url}/v1/audio/speech", stream=True, timeout=60,
        json={"input": TEXT, "seed": 7, "response_format": name, "stream": True},
    )  # fmt: skip
    parts = list(answer.iter_content(None))
    assert "content-length" not in answer.headers
    assert answer.headers["x-mode"] == "stream"
    assert len(parts) > 2
    if name == "wav":
        assert (len(parts[0]), parts[0][4:8]) == (44, b"\xff" * 4)


def test_where_nothing_is_said_wav_and_flac_are_whole_and_the_rest_is_streamed(
    running: Running,
) -> None:
    modes = {
        name: running.speech(response_format=name).headers["x-mode"]
        for name in ("wav", "flac", "mp3", "pcm", "opus")
    }
    assert modes == {"wav": "whole", "flac": "whole"} | dict.fromkeys(
        ("mp3", "pcm", "opus"), "stream"
    )


def test_a_wav_is_read_by_the_standard_library(running: Running) -> None:
    for stream in (True, False):
        answer = running.speech(response_format="wav", stream=stream)
        with wave.open(io.BytesIO(answer.content)) as file:
            frames = file.readframes(2**30)
        assert len(frames) == len(answer.content) - 44


def events(answer: requests.Response) -> list[dict[str, object]]:
    lines = answer.content.decode().split("\n\n")
    assert lines.pop() == ""
    assert all(line.startswith("data: ") for line in lines)
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def test_events_joined_are_the_stream_and_end_with_what_was_used(running: Running) -> None:
    answer = running.speech(stream_format="sse")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    *deltas, done = events(answer)
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    joined = b"".join(base64.b64decode(str(event["audio"])) for event in deltas)
    assert joined == running.speech(stream_format="audio").content
    assert done["type"] == "speech.audio.done"
    usage = done["usage"]
    assert isinstance(usage, dict)
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_tokens"] > 5


def test_a_sample_rate_is_kept(running: Running) -> None:
    answer = running.speech(response_format="wav", sample_rate="16000")
    assert soundfile.info(io.BytesIO(answer.content)).samplerate == 16_000
    assert answer.headers["x-sample-rate"] == "16000"


def test_numbers_and_truth_may_come_as_text_and_null_is_nothing(running: Running) -> None:
    plain = running.speech(response_format="wav", top_k=5, speed=1.5)
    words = running.speech(
        response_format="WAV", top_k="5.0", speed="1.5", stream="no", temperature=None,
        language="", voice=None, instructions="None", unknown=[1],
    )  # fmt: skip
    assert words.content == plain.content != running.speech(response_format="wav").content


def test_a_reference_comes_inside_the_request(running: Running) -> None:
    sound = base64.b64encode((bundles.SOVITS / "ref_mono_24k.wav").read_bytes()).decode()
    usual = running.speech(response_format="wav").content
    for given in (f"data:audio/wav;base64,{sound}", sound):
        answer = running.speech(response_format="wav", ref_audio=given)
        assert answer.status_code == 200, answer.text
        assert answer.content != usual
    assert running.speech(response_format="wav", ref_audio="mia").content == usual


@pytest.mark.parametrize(
    ("body", "status", "param", "code"),
    [
        ({"input": ""}, 400, "input", "nothing_to_say"),
        ({"input": " \n"}, 400, "input", "nothing_to_say"),
        ({"input": None}, 400, "input", "nothing_to_say"),
        ({"input": 5}, 400, "input", "invalid_value"),
        ({"input": "…"}, 400, "input", "nothing_to_say"),
        ({"input": "a" * 20_001}, 400, "input", "text_too_long"),
        ({"input": "\ud800"}, 400, "input", "invalid_value"),
        ({"voice": "nobody"}, 404, "voice", "voice_not_found"),
        ({"voice": 5}, 400, "voice", "invalid_value"),
        ({"response_format": "silk"}, 400, "response_format", "unsupported_format"),
        (
            {"response_format": "flac", "stream_format": "sse"},
            400,
            "response_format",
            "invalid_value",
        ),
        ({"stream_format": "sse", "stream": False}, 400, "stream", "invalid_value"),
        ({"stream_format": "xml"}, 400, "stream_format", "invalid_value"),
        ({"stream": 2}, 400, "stream", "invalid_value"),
        ({"speed": "nan"}, 400, "speed", "invalid_value"),
        ({"speed": 0.1}, 400, "speed", "invalid_value"),
        ({"top_k": 5.5}, 400, "top_k", "invalid_value"),
        ({"temperature": -1}, 400, "temperature", "invalid_value"),
        ({"language": "klingon"}, 400, "language", "invalid_value"),
        ({"sample_rate": 44_100, "response_format": "opus"}, 400, "sample_rate", "invalid_value"),
        ({"ref_audio": "http://example.com/a.wav"}, 400, "ref_audio", "invalid_value"),
        ({"ref_audio": "/etc/passwd"}, 400, "ref_audio", "bad_reference"),
        ({"ref_audio": "A" * 2000}, 400, "ref_audio", "bad_reference"),
        ({"ref_audio": "mia", "ref_lang": "xx"}, 200, None, None),
        ({"text_split_method": "cut9"}, 400, "text_split_method", "invalid_value"),
        ({"pause_ms": 60_001}, 400, "pause_ms", "invalid_value"),
    ],
)
def test_what_can_not_be_is_refused_with_its_field(
    running: Running, body: dict[str, object], status: int, param: str | None, code: str | None
) -> None:
    answer = running.post("/v1/audio/speech", data=json.dumps({"input": TEXT} | body))
    assert answer.status_code == status, answer.text
    if status == 200:
        return
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == (param, code)
    assert error["type"] == "invalid_request_error"
    assert error["message"].startswith(f"{param}: ")


def test_a_missing_text_is_named(running: Running) -> None:
    answer = running.post("/v1/audio/speech", json={"model": "tts-1"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "missing_field")


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"{", 400), (b"[]", 400), (b"\xff", 400), (b'{"input": NaN}', 400), (b"[" * 9999, 400),
     (b'{"input":"a","x":' + b"[" * 40 + b"]" * 40 + b"}", 400)],
)  # fmt: skip
def test_a_body_that_is_no_object_is_refused(running: Running, content: bytes, status: int) -> None:
    answer = running.post("/v1/audio/speech", data=content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, "invalid_json")


def test_another_type_of_body_is_refused(running: Running) -> None:
    answer = running.post(
        "/v1/audio/speech", data="input=x", headers={"Content-Type": "text/plain"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


def test_a_path_with_a_slash_or_another_method_is_answered_plainly(running: Running) -> None:
    assert running.get("/v1/models/", allow_redirects=False).status_code == 200
    answer = running.get("/v1/audio/speech")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["error"]["code"] == "method_not_allowed"
    assert running.get("/v1/nothing").json()["error"]["code"] == "not_found"
    assert requests.head(f"{running.url}/v1/models", timeout=60).status_code == 200
    assert requests.head(f"{running.url}/tts?text=a", timeout=60).status_code == 405


def test_the_callers_id_of_a_request_is_kept_if_it_is_one(running: Running) -> None:
    for given, kept in (("abc-1.2_3", True), ("a b", False), ("x" * 129, False)):
        answer = running.get("/health", headers={"X-Request-Id": given})
        assert (answer.headers["x-request-id"] == given) == kept


def test_pcm_is_the_wav_resampled(running: Running) -> None:
    pcm = np.frombuffer(running.speech(response_format="pcm", stream=False).content, "<i2")
    wav = running.speech(response_format="wav").content
    assert abs(pcm.size - (len(wav) - 44) // 2 * 24 // 32) <= 1
