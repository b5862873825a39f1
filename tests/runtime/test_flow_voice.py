"""A v3 and a v4 voice through `Voice` and the command: rates, streams, steps, and a stop."""

import io
import threading
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

from runtime import Reference, Settings, Voice
from runtime.errors import SettingError, Stopped
from tests import bundles, flow_voice
from tests.runtime.command import call, spoken
from tests.runtime.watched_voice import Watch, watched
from workflow_scripts.checkpoint.families import FAMILIES

PHONES = "HH AH0 L OW1 W ER1 L D " * 3 + "."  # so many that the pace lets all tokens through
FAMILY = pytest.mark.parametrize("family", ["v3", "v4"])
SETTINGS = Settings(as_phones=True, seed=7, pause_ms=0, sample_steps=4)
TOKENS = 50 * flow_voice.MAX_SEC + 1


@cache
def opened(family: str) -> tuple[Voice, Watch]:
    voice, watch = watched(flow_voice.bundle(family))
    assert voice.example.tokens.size  # encoded, so that what is counted is the speech
    return voice, watch


def counted(family: str) -> tuple[Voice, Watch]:
    """As if nothing had happened before."""
    voice, watch = opened(family)
    watch.runs.clear()
    watch.on_repetition = lambda: None
    return voice, watch


def samples_of(family: str, speed: float = 1.0) -> int:
    """Of a sentence, by the rates of the family."""
    row = FAMILIES[family]
    encoded = int(2 * TOKENS / speed) + (speed != 1)
    frames = int(encoded * row.numbers["stretch_more"] / row.numbers["stretch_less"])
    per_frame = {"v3": 256, "v4": 480}[family]
    return frames * per_frame


@FAMILY
def test_a_stream_joins_to_the_whole_at_every_speed(family: str) -> None:
    voice, _ = opened(family)
    assert voice.rate == {"v3": 24_000, "v4": 48_000}[family]
    for speed in (1.0, 1.3):
        under = SETTINGS.changed(speed=speed)
        whole = voice.synthesize(PHONES, under)
        chunks = list(voice.stream(PHONES, under))
        assert len(chunks) == 2
        joined = np.concatenate([chunk.samples for chunk in chunks])
        np.testing.assert_array_equal(joined, whole.samples)
        assert joined.size == samples_of(family, speed)
        assert sum(chunk.tokens.size for chunk in chunks) == TOKENS
        assert [chunk.start for chunk in chunks[:1]] == [0]


@FAMILY
@pytest.mark.parametrize("steps", [4, 8])
def test_the_first_sound_comes_after_one_run_of_the_sampler(family: str, steps: int) -> None:
    voice, watch = counted(family)
    vocoder = FAMILIES[family].vocoder
    with voice.stream(PHONES, SETTINGS, sample_steps=steps) as stream:
        first = next(stream)
        assert (watch.runs["cfm_step"], watch.runs["cfm_condition"]) == (steps, 1)
        once = watch.runs[vocoder]
        rest = list(stream)
    assert not first.last
    assert rest[-1].last
    assert watch.runs["cfm_step"] == steps * (1 + len(rest))
    assert watch.runs[vocoder] > once >= 1


@FAMILY
@pytest.mark.parametrize("way", ["stream", "sentences"])
@pytest.mark.parametrize("at", [1, 6])
def test_a_stop_is_seen_before_the_next_step_of_the_sampler(family: str, way: str, at: int) -> None:
    voice, watch = counted(family)
    stream = getattr(voice, way)(PHONES, SETTINGS)
    watch.on_repetition = lambda: stream.close() if watch.runs["cfm_step"] == at else None
    chunks = list(stream)
    assert watch.runs["cfm_step"] == at
    assert len(chunks) == (way == "stream" and at > SETTINGS.sample_steps)
    assert bool(watch.runs[FAMILIES[family].vocoder]) == (at > SETTINGS.sample_steps)
    watch.on_repetition = lambda: None
    assert voice.synthesize(PHONES, SETTINGS).samples.size == samples_of(family)


def test_an_event_ends_a_whole_sentence_within_a_step() -> None:
    voice, watch = counted("v4")
    stop = threading.Event()
    watch.on_repetition = stop.set
    with pytest.raises(Stopped):
        voice.synthesize(PHONES, SETTINGS, stop=stop)
    assert (watch.runs["cfm_step"], watch.runs["vocoder_v4"]) == (1, 0)


@FAMILY
def test_without_a_number_the_steps_are_those_of_the_family(family: str) -> None:
    voice, watch = counted(family)
    with voice.stream(PHONES, SETTINGS, sample_steps=None) as stream:
        next(stream)
    assert watch.runs["cfm_step"] == {"v3": 32, "v4": 8}[family]


@FAMILY
def test_the_command_writes_the_rate_of_the_family_and_takes_the_steps(
    family: str, tmp_path: Path
) -> None:
    bundle = flow_voice.bundle(family)
    voice, _ = opened(family)
    text = f"[phones={PHONES}]"
    said = ("--lang", "en", "--sample-steps", "8", "--pause-ms", "0", text)
    file = spoken(tmp_path, *said, bundle=bundle)
    sound, rate = soundfile.read(io.BytesIO(file), dtype="float32")
    assert rate == voice.rate
    assert sound.size == samples_of(family)
    under = SETTINGS.changed(as_phones=False, lang="en")
    assert file == voice.synthesize(text, under, sample_steps=8).wav
    assert file != voice.synthesize(text, under).wav


def test_the_command_refuses_steps_that_are_not_offered() -> None:
    wrong = call("-m", flow_voice.bundle("v4"), "--sample-steps", "5", "-f", "x.wav", "hello")
    assert wrong.code == 2
    assert "sample" in wrong.err


def test_a_reference_without_words_is_one_clear_line() -> None:
    voice, _ = opened("v4")
    example = flow_voice.bundle("v4") / voice.manifest.reference.audio
    with pytest.raises(SettingError, match="reference text: missing; v3 and v4 continue"):
        voice.synthesize(PHONES, SETTINGS, reference=Reference(example))


def test_a_reference_of_a_lora_is_refused_over_another_base(tmp_path: Path) -> None:
    voices = []
    for base in ("a", "b"):
        folder = bundles.copied(flow_voice.bundle("v4"), tmp_path / base)
        sources = {"sovits": "f" * 64, "base": base * 64}
        bundles.change_manifest(folder, lambda found, of=sources: found.update(sources=of))
        voices.append(Voice.load(folder, threads=1, provider="cpu"))
    encoded = voices[0].example
    assert voices[0].read(PHONES, SETTINGS.changed(reference=encoded))
    with pytest.raises(SettingError, match="it was not encoded by voice 'v4'"):
        voices[1].synthesize(PHONES, SETTINGS, reference=encoded)
