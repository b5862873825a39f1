"""A v4 voice behind the server: 48 kHz as it says, pcm at the rate asked for, and steps."""

import io

import pytest
import soundfile

from tests import flow_voice
from tests.runtime.test_flow_voice import PHONES
from tests.server.running import Running, server

TEXT = f"[phones={PHONES}]"
NAME = "v4"


@pytest.fixture(scope="module")
def running() -> Running:
    return server("--voices", flow_voice.bundle(NAME))


def spoken(running: Running, **body: object) -> bytes:
    answer = running.speech(input=TEXT, voice=NAME, lang="en", **body)
    assert answer.ok, answer.text
    return answer.content


def test_a_file_says_48_khz_and_pcm_is_resampled_as_asked(running: Running) -> None:
    whole = {"response_format": "wav", "sample_steps": 4}
    samples, rate = soundfile.read(io.BytesIO(spoken(running, **whole)))
    assert rate == 48_000
    slow, asked = soundfile.read(io.BytesIO(spoken(running, **whole, sample_rate=16_000)))
    assert asked == 16_000
    assert abs(3 * slow.size - samples.size) <= 3
    pcm = spoken(running, response_format="pcm", sample_steps=4)  # 24 kHz, as OpenAI's is
    assert abs(len(pcm) - samples.size) <= 2


def test_api_v2_obeys_the_steps(running: Running) -> None:
    def spoken(steps: int) -> bytes:
        body = {"text": TEXT, "text_lang": "en", "sample_steps": steps, "seed": 7}
        answer = running.post("/tts", json=body | {"voice": NAME, "media_type": "wav"})
        assert answer.ok, answer.text
        assert soundfile.info(io.BytesIO(answer.content)).samplerate == 48_000
        return answer.content

    four, eight = spoken(4), spoken(8)
    assert four != eight
    assert four == spoken(4)
