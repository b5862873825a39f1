"""A family that makes sound in its own way goes from a configuration to speech behind the seam."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from runtime import audio as sound
from runtime import contract
from runtime.acoustic import kind as kinds
from runtime.backends import Threads
from runtime.backends.choices import choose
from runtime.contract import STEP_TABLES
from runtime.errors import BundleError
from runtime.graphs import VoiceGraphs
from runtime.manifest import load
from runtime.measure.calibration import Calibration
from runtime.measure.workload import Replay, Speaker
from runtime.reference import encoder
from runtime.settings import Settings
from runtime.voice import Voice
from tests import bundles
from tests.workflow import configurations, toy_kind
from tests.workflow.toy_kind import RATE, SAMPLES
from workflow_scripts.bundle.pack import Contents, Labels, Origin, Part, pack
from workflow_scripts.checkpoint import families, peek
from workflow_scripts.checkpoint.acoustic_sources import AcousticSources
from workflow_scripts.checkpoint.families import PLAIN
from workflow_scripts.checkpoint.write import write_checkpoint
from workflow_scripts.graphs.export import export
from workflow_scripts.models.describe import describe
from workflow_scripts.plan import Plan
from workflow_scripts.proof import chain, stream
from workflow_scripts.proof.record import load_networks, record_chain

TEXT = "[phones=HH AH0 L OW1 W ER1 L D .]"


@pytest.fixture(scope="module", autouse=True)
def toy() -> Iterator[None]:
    """The rows that a kind adds."""
    with pytest.MonkeyPatch.context() as patch:
        for name, graph in toy_kind.GRAPHS.items():
            patch.setitem(contract.GRAPHS, name, graph)
        patch.setitem(families.FAMILIES, "toy", toy_kind.FAMILY)
        patch.setitem(families.KINDS, "toy", toy_kind.KIND)
        patch.setitem(kinds.KINDS, "toy", kinds.Kind(toy_kind.__name__, "a tone for each token"))
        patch.setitem(encoder.ENCODINGS, "loudness", toy_kind.loudness)
        yield


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("toy") / "toy.pth"
    write_checkpoint(path, toy_kind.weights(), {"model": {}, "data": {}}, "", PLAIN)
    return path


@pytest.fixture(scope="module")
def plan(checkpoint: Path) -> Plan:
    config = configurations.sound(checkpoint.parent)
    voice = configurations.voice(config)
    voice |= {"gpt": str(bundles.GPT), "sovits": str(checkpoint)}
    voice["reference"]["audio"] = str(bundles.EXAMPLE)
    config["shared"]["ssl"] = str(bundles.HUBERT)
    return configurations.checked(config, peek.buildable)


@pytest.fixture(scope="module")
def bundle(plan: Plan, checkpoint: Path) -> Path:
    build = checkpoint.parent / "build"
    sources = {"hubert": bundles.HUBERT, "t2s": bundles.GPT, "sovits": checkpoint}
    for kind, source in sources.items():
        export(kind, source, build, build, build)
    members = plan.members("mia", "fp32")
    parts = tuple(Part(m.graph, m.precision, build / f"{m.graph}.onnx") for m in members)
    contents = Contents(parts, (build / STEP_TABLES,), bundles.EXAMPLE)
    facts = describe(bundles.GPT, checkpoint)
    labels = Labels("mia", "fp32", bundles.MAX_LEN, bundles.TEXT, bundles.LANG)
    pack(build / "bundle", contents, labels, Origin(facts, {}, {}, {}, {}))
    bundles.change_manifest(build / "bundle", lambda content: content["t2s"].update(max_sec=1))
    return build / "bundle"


def test_the_plan_asks_for_its_graphs_alone(plan: Plan) -> None:
    own = [m.graph for m in plan.members("mia", "fp32")]
    assert own == ["hubert", "quantizer", "levels", "beeper", "t2s_embed", "t2s_decoder"]
    assert [voice.name for voice in plan.kinds["toy"]] == ["mia"]
    assert list(plan.sounding_files("mia", "fp32")) == ["levels", "beeper"]


def test_the_manifest_says_what_differs(bundle: Path) -> None:
    acoustic = load(bundle).acoustic
    assert (acoustic.kind, acoustic.vocoder, acoustic.sampling_rate_hz) == ("toy", "beeper", RATE)
    assert acoustic.samples_per_frame == SAMPLES
    assert acoustic.sizes == {"gain": toy_kind.GAIN}


def test_it_speaks_whole_and_streamed(bundle: Path) -> None:
    voice = Voice.load(bundle, provider="cpu", threads=1)
    request = Settings(lang="en", seed=3, pause_ms=100)
    (whole,) = voice.sentences(TEXT, request)
    chunks = list(voice.stream(TEXT, request, first_chunk_tokens=4))
    assert voice.rate == whole.rate == RATE
    assert whole.samples.size == SAMPLES * whole.tokens.size + RATE // 10
    assert np.abs(whole.samples).max() > 0.01
    assert len(chunks) > 3
    np.testing.assert_array_equal(np.concatenate([c.samples for c in chunks]), whole.samples)
    assert np.concatenate([c.tokens for c in chunks]).tolist() == whole.tokens.tolist()


def test_it_is_proved_against_pytorch_along_the_chain(bundle: Path, checkpoint: Path) -> None:
    networks = load_networks(bundles.GPT, AcousticSources(checkpoint), bundles.HUBERT, None)
    record = record_chain(networks, sound.read(bundles.EXAMPLE))
    files = {name: bundle / member.file for name, member in load(bundle).graphs.items()}
    acoustic = load(bundle).acoustic
    graphs = VoiceGraphs(files, bundle / STEP_TABLES, acoustic, threads=Threads(1))
    metrics = chain.measure_chain(graphs, record)[0].metrics
    assert metrics["prompt_tokens_token_equality"] == 1
    assert metrics["gain_relative_rms"] < 1e-6
    assert metrics["tones_max_abs"] < 1e-6
    assert metrics["audio_max_abs"] < 1e-6
    streamed = stream.report_of(graphs.acoustic_model(), record)
    assert streamed.metrics == {"stream_seam_error": 0, "stream_lost_samples": 0}


def test_it_is_calibrated_and_timed(bundle: Path) -> None:
    manifest = load(bundle)
    graphs = VoiceGraphs.of_bundle(bundle, manifest, choose("cpu", manifest), 1)
    calibration = Calibration(graphs, sound.read(bundles.EXAMPLE), None)
    assert list(calibration.inputs) == ["hubert", "quantizer", "levels", "beeper"]
    frames = calibration.inputs["beeper"]["frames"]
    assert calibration.distance("levels", frames) == 0
    assert calibration.distance("levels", -frames) == 0, "a tone sounds the same upside down"
    assert calibration.distance("levels", 4 * frames) > 0.5
    works = Speaker(graphs, Replay.of(30)).works()
    assert works.summands == ("prefill", "steps", "sampler", "levels", "beeper")
    for work in works.parts.values():
        work()
    assert works.sound["levels"](10).shape[-1] * 3 == works.sound["levels"](30).shape[-1]
    for work in works.sound.values():
        work(30)


def test_a_kind_that_a_runtime_does_not_have_is_refused(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(kinds.KINDS, "toy")
    with pytest.raises(BundleError, match=r"acoustic\.kind: 'toy' is none of vits"):
        Voice.load(bundle, provider="cpu", threads=1)
