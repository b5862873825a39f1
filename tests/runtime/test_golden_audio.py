"""The runtime against the reference's own numbers: tokens and phones to samples, sound to style."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from runtime.acoustic.kind import AcousticModel, AcousticSettings, Conditioning, SpokenChunk
from runtime.arrays import Latent, Style
from runtime.audio import Audio
from runtime.backends import Threads
from runtime.graphs import VoiceGraphs
from runtime.manifest import Acoustic
from runtime.reference.encoder import ReferenceEncoder
from tests.goldens import Case, base_cases, sovits_decodes, sovits_models
from tests.graphs.exported import exported
from workflow_scripts.checkpoint.families import FAMILIES
from workflow_scripts.graphs.export import EXPORTERS

WIDE = 1e-4
TAIL_SAMPLES = 9_600  # of silence, where a golden encoded as much as the runtime does
HEARING = [
    case
    for case in base_cases("hubert")
    if "codes" in case.facts and case.facts["tail_zeros"] == TAIL_SAMPLES
]


@cache
def graphs(checkpoint: Path, hubert: Path | None = None) -> VoiceGraphs:
    """The acoustic graphs of a golden's checkpoint, as a bundle has them."""
    sources = {"sovits": checkpoint} | ({"hubert": hubert} if hubert else {})
    files = {
        graph: exported(kind, source) / f"{graph}.onnx"
        for kind, source in sources.items()
        for graph in EXPORTERS[kind].graphs(source)
    }
    found = Acoustic(**FAMILIES["v2"].acoustic)
    return VoiceGraphs(files, Path("none"), found, threads=Threads(intra_op=1))


@cache
def acoustic(checkpoint: Path) -> AcousticModel:
    return graphs(checkpoint).acoustic_model()


@cache
def bins(checkpoint: Path) -> int:
    return graphs(checkpoint).open("style").input_dim("spectrogram", 1)


@cache
def references(checkpoint: Path) -> ReferenceEncoder:
    return graphs(checkpoint).references()


def style_of(case: Case) -> Style:
    """The style of a decode from the recorded spectrograms and speaker embeddings."""
    used = bins(case.model)
    inputs = [{"spectrogram": case[name][:, :used]} for name in case.facts["refer"]]
    for one, name in zip(inputs, case.facts["sv_emb"] or [], strict=False):
        one["speaker_embedding"] = case[name]
    return references(case.model).mean_style(inputs)


def spoken(case: Case, style: Style) -> SpokenChunk:
    """A decode with the recorded noise."""
    recorded = case.facts["noise"]

    def noise(first: int, frames: int, width: int) -> Latent:
        if not recorded:
            return np.zeros((1, width, frames), np.float32)
        assert case[recorded].shape[2] == frames
        return case[recorded][:, :, first : first + frames]

    tokens, phones = case[case.facts["codes"]][0, 0], case[case.facts["text"]][0]
    settings = AcousticSettings(case.facts["speed"], case.facts["noise_scale"])
    conditioning = Conditioning(phones, {"style": style}, noise, settings)
    return acoustic(case.model).whole(tokens, conditioning)


@pytest.mark.golden
@pytest.mark.parametrize("case", sovits_decodes(), ids=str)
def test_a_decode_sounds_as_the_reference(case: Case) -> None:
    style = style_of(case)
    found_of = spoken(case, style)
    latent, samples = found_of.frames, found_of.samples
    np.testing.assert_allclose(samples, case[case.facts["audio"]], atol=WIDE, rtol=0)
    inner = {name.split("__")[-1]: name for name in case.facts["intermediates"]}
    for kind, found in (("ge", style), ("z", latent)):
        if kind in inner:
            np.testing.assert_allclose(found, case[inner[kind]], atol=WIDE, rtol=0, err_msg=kind)


@pytest.mark.golden
@pytest.mark.parametrize("case", sovits_models(), ids=str)
def test_ssl_features_become_the_references_prompt_tokens(case: Case) -> None:
    names = case.facts["tokenizer"]
    quantizer = graphs(case.model).open("quantizer")
    (tokens,) = quantizer.run({"features": case[names["ssl"]]})
    np.testing.assert_array_equal(tokens, case[names["codes"]][0])


@pytest.mark.golden
@pytest.mark.parametrize("case", HEARING, ids=str)
def test_sound_becomes_the_references_prompt_tokens(case: Case) -> None:
    (voice,) = (model for model in sovits_models() if model.name == "v2")
    tokens = (
        graphs(voice.model, case.model)
        .references()
        .prompt_tokens(Audio(case[case.facts["wave"]], 16_000))
    )
    np.testing.assert_array_equal(tokens, case[case.facts["codes"]][0, 0])


def test_every_family_and_one_sound_are_compared() -> None:
    if not sovits_models():
        pytest.skip("these goldens have no acoustic models: no sound is compared")
    named = {case.name.split("-")[0] for case in sovits_decodes()}
    assert named == {model.name for model in sovits_models()}
    assert HEARING, "no recorded sound goes through HuBERT with the runtime's tail"
