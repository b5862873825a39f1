"""Measurements of a stream: what joins, what does not, and the lookahead that is recommended."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from runtime import records
from runtime.acoustic.kind import Streaming
from runtime.acoustic.vocoder import CONTEXT_FRAMES
from tests import voices
from tests.goldens import sovits_models
from tests.graphs.exported import exported
from tests.runtime.local_models import local_conditioning, local_model
from workflow_scripts.checkpoint.families import FAMILIES
from workflow_scripts.proof import stream
from workflow_scripts.proof.chain_record import ChainRecord
from workflow_scripts.proof.measured import FromWhole, read_stream
from workflow_scripts.proof.stream import (
    decoded,
    least_lookahead,
    measure_stream,
    recommended,
)

TOKENS = np.random.default_rng(0).integers(0, 1024, 120)
PERFECT = FromWhole(0, 0, 0, 0, 0, {}, 0)


def record(model_name: str) -> ChainRecord:
    (model,) = (model for model in sovits_models() if model.name == model_name)
    nothing = np.zeros(0, np.float32)
    return ChainRecord(
        audio_samples=nothing,
        audio_rate=32_000,
        reference_phones=np.zeros(0, np.int64),
        phones=model["text_a"][0],
        text_features=nothing,
        prompt_tokens=np.zeros(0, np.int64),
        reference={"style": model["t12__ge"]},
        seed=1,
        tokens=np.random.default_rng(1).integers(0, 1024, 60),
        logits=nothing,
        noise_scale=0.5,
        speed=1.1,
        sample_steps=4,
        frames=nothing,
        samples=nothing,
    )


def test_a_model_that_looks_no_farther_than_the_lookahead_is_measured_as_perfect() -> None:
    acoustic = local_model()
    found = measure_stream(acoustic, decoded(acoustic, TOKENS, local_conditioning()), Streaming())
    assert found.seam_error < 1e-5
    assert found.lost_samples == 0
    assert found.latent_relative_rms < 1e-6


def test_a_vocoder_that_sees_more_than_its_context_shows_at_the_seams() -> None:
    acoustic = local_model(CONTEXT_FRAMES + 1)
    whole = decoded(acoustic, TOKENS, local_conditioning())
    assert measure_stream(acoustic, whole, Streaming()).seam_error > 1e-3


def test_too_little_lookahead_shows_at_the_seams_alone() -> None:
    cut = Streaming(lookahead_tokens=6, history_tokens=0)
    acoustic = local_model()
    found = measure_stream(acoustic, decoded(acoustic, TOKENS, local_conditioning()), cut)
    assert found.seam_error < 1e-5
    assert found.seam_relative_rms > 0.01
    assert found.around_relative_rms < 1e-6
    assert least_lookahead({6: found, 16: PERFECT}) == 16


def test_without_any_lookahead_that_suits_the_most_is_taken() -> None:
    bad = replace(PERFECT, seam_relative_rms=1.0, around_relative_rms=0.1)
    assert least_lookahead({6: bad, 8: bad}) == 8
    assert least_lookahead({6: bad, 8: PERFECT, 10: PERFECT}) == 8


def test_more_than_the_usual_lookahead_is_recommended_where_a_voice_needs_it() -> None:
    assert [recommended(least) for least in (6, 16, 24)] == [16, 16, 24]


def test_the_command_reports_a_golden_voice(tmp_path: Path) -> None:
    model = next(model for model in sovits_models() if model.name == "v2")
    voices.acoustic(model.model)
    folder, output = exported("sovits", model.model), tmp_path / "stream.json"
    record("v2").save(tmp_path / "chain.npz")
    graphs = [f"{name}={folder / name}.onnx" for name in ("prior", "vocoder")]
    sound = tmp_path / "stream.npy"
    options = ["--output", str(output), "--sound", str(sound)]
    graphs += ["--acoustic", records.text(FAMILIES["v2"].acoustic)]
    stream.main([*graphs, "--answers", str(tmp_path / "chain.npz"), *options])
    report = read_stream(output)
    assert report.metrics["stream_lost_samples"] == 0
    assert report.metrics["stream_seam_error"] <= 1e-4
    assert 6 < report.least_lookahead_tokens <= 16 == report.recommended_lookahead_tokens
    assert len(report.cases) == len(stream.LOOKAHEADS) + 2
    usual = report.from_whole["lookahead 16"]
    assert usual.latent_relative_rms < 0.1
    assert max(usual.seam_errors) <= usual.seam_error
    assert len(usual.seam_errors) > 2
    assert np.load(sound).size > 640
