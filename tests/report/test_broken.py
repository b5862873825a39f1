"""Voices that were broken on purpose: each is caught, red in the report, with graph and output."""

from pathlib import Path

import pytest

from runtime import records
from tests.report import voice
from tests.report.voice import Harm, copied, harmed, reported
from workflow_scripts.proof import stream
from workflow_scripts.proof.chain_record import ChainRecord
from workflow_scripts.report.job import VoiceFiles


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> VoiceFiles:
    """A sound voice; not to be changed."""
    return voice.measured(tmp_path_factory.mktemp("voice"))


def test_a_sound_voice_is_green(files: VoiceFiles, tmp_path: Path) -> None:
    page, report = reported(files, tmp_path)
    assert report.bundles[0].passed
    assert "all 1 bundles reach their bars" in page
    assert 'class="bad"' not in page


@pytest.mark.parametrize(
    ("graph", "output", "harm"),
    [
        ("prior", "latent", voice.one_weight),
        ("vocoder", "audio", voice.overflow),
        ("t2s_decoder", "logits", voice.swapped_inputs),
        ("vocoder", "audio", voice.zeroed_channel),
    ],
    ids=["one weight", "fp16 overflow", "swapped inputs", "a channel of the vocoder"],
)
def test_a_broken_graph_is_red_with_its_output(
    files: VoiceFiles, tmp_path: Path, graph: str, output: str, harm: Harm
) -> None:
    broken = copied(files, tmp_path / "broken")
    harmed(broken, graph, harm)
    page, report = reported(broken, tmp_path)
    (bundle,) = report.bundles
    assert not bundle.passed
    assert (graph, output) in {(check.graph, check.output) for check in bundle.missed}
    assert {check.graph for check in bundle.missed} == {graph}
    assert "1 of 1 bundles miss a bar" in page
    assert f'<span class="bad">fp32</span> {graph}: {output} ' in page
    if harm is voice.overflow:
        assert "not finite" in page


def test_a_stream_that_loses_a_frame_is_red(files: VoiceFiles, tmp_path: Path) -> None:
    broken = copied(files, tmp_path / "broken")
    record = ChainRecord.load(Path(broken.record))
    report = stream.report_of(voice.losing_a_frame(broken).acoustic_model(), record)
    Path(broken.bundles[0].stream).write_text(records.text(report), "utf-8")
    page, found = reported(broken, tmp_path)
    lost = {check.metric: check.value for check in found.bundles[0].missed}
    assert lost["lost_samples"] == voice.FRAME_SAMPLES
    assert '<span class="bad">fp32</span> stream: stream lost_samples 640' in page
