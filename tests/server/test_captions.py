"""Sound with its text's times: captions, events, and Kokoro's clients."""

import base64
import io
import json

import pytest
import soundfile

from tests.server.running import Running, server

TEXT = "The light is on today. The door is open now."


@pytest.fixture(scope="module")
def running() -> Running:
    return server()


def body(**more: object) -> dict[str, object]:
    return {"input": TEXT, "seed": 7, "language": "en", "response_format": "wav"} | more


def test_one_object_holds_the_sound_and_its_times(running: Running) -> None:
    answer = running.post("/v1/audio/captions", json=body())
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    sound = base64.b64decode(found["audio"])
    assert sound == running.speech(**body()).content
    assert (found["audio_format"], found["sample_rate"]) == ("audio/wav", 32_000)
    assert found["duration"] == pytest.approx(soundfile.info(io.BytesIO(sound)).duration, abs=0.001)
    assert (found["seed"], found["alignment"]) == (7, "estimated")
    assert [one["id"] for one in found["segments"]] == [0, 1]
    first, second = found["segments"]
    assert second["start"] == pytest.approx(first["end"] + 0.3, abs=0.001)
    assert found["duration"] == pytest.approx(second["end"] + 0.3, abs=0.001)
    assert found["srt"].startswith("1\n00:00:00,000 --> ")
    assert found["vtt"].startswith("WEBVTT\n")


@pytest.mark.parametrize(
    ("name", "media_type"), [("srt", "application/x-subrip"), ("vtt", "text/vtt; charset=utf-8")]
)
def test_subtitles_come_alone_with_the_same_times(
    running: Running, name: str, media_type: str
) -> None:
    answer = running.post("/v1/audio/captions", json=body(caption_format=name))
    assert answer.headers["content-type"] == media_type
    whole = running.post("/v1/audio/captions", json=body()).json()
    assert answer.content.decode() == whole[name]


def test_another_shape_is_refused(running: Running) -> None:
    answer = running.post("/v1/audio/captions", json=body(caption_format="ass"))
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "caption_format")


def test_events_say_when_sentences_are_spoken(running: Running) -> None:
    answer = running.speech(**body(stream_format="sse", timestamps=True, response_format="pcm"))
    events = [json.loads(line[6:]) for line in answer.text.split("\n\n") if line]
    times = [event for event in events if event["type"] == "speech.audio.timestamps"]
    assert [event["segment"] for event in times] == [0, 1]
    assert {event["alignment"] for event in times} == {"estimated"}
    assert times[0]["words"][0]["word"].strip(".") == "The"
    sound = b"".join(
        base64.b64decode(event["audio"]) for event in events if event["type"].endswith("delta")
    )
    assert times[-1]["end"] == pytest.approx(len(sound) / 2 / 24_000 - 0.3, abs=0.05)
    assert running.speech(**body(stream_format="sse")).text.count("timestamps") == 0


def test_a_client_of_kokoro_gets_one_object(running: Running) -> None:
    answer = running.post("/dev/captioned_speech", json=body(stream=False, voice="flite"))
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    sound = soundfile.info(io.BytesIO(base64.b64decode(found["audio"])))
    ends = [word["end_time"] for word in found["timestamps"]]
    assert ends == sorted(ends)
    assert 0 < ends[-1] <= sound.duration
    assert all(word["start_time"] < word["end_time"] for word in found["timestamps"])
    assert [word["word"] for word in found["timestamps"]][:2] == ["The", "light"]


def test_a_client_of_kokoro_gets_a_sentence_a_line(running: Running) -> None:
    answer = running.post("/dev/captioned_speech", json=body(response_format="mp3"))
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [bool(line["timestamps"]) for line in lines] == [True, True, False]
    joined = b"".join(base64.b64decode(line["audio"]) for line in lines)
    assert soundfile.info(io.BytesIO(joined)).duration > 1
    silent = running.post("/dev/captioned_speech", json=body(return_timestamps=False, stream=False))
    assert silent.json()["timestamps"] is None


def test_a_client_of_kokoro_reads_why_it_is_refused(running: Running) -> None:
    answer = running.post("/dev/captioned_speech", json=body(voice="nobody"))
    assert answer.status_code == 404
    assert answer.json()["detail"]["error"] == "voice_not_found"


def test_what_a_build_measured_is_listed(running: Running) -> None:
    found = running.get("/v1/audio/voices/flite/proof").json()
    assert found["id"] == "flite/1000/fp32"
    assert isinstance(found["measured"], list)
    assert running.get("/v1/audio/voices/nobody/proof").status_code == 404
