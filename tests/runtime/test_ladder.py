"""With auto, a back end that can't be used after all is passed over, and why is said."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from runtime import manifest
from runtime.backends import BACKENDS, Folders, GraphRunner, Threads, cpu
from runtime.backends.choices import GPU_FIRST, choose
from runtime.errors import BackendMissing, EngineMismatch
from runtime.graphs import VoiceGraphs
from runtime.t2s.decode import Decoder
from runtime.voice import Voice
from tests.tiny_voice import tiny_bundle


def missing(library: str = "") -> None:
    return None


def open_graph(*given: object) -> GraphRunner:
    """Only vocoders can be opened here."""
    path, threads = next(g for g in given if isinstance(g, Path)), Threads(intra_op=1)
    if path.stem == "vocoder":
        return cpu.open_graph(path, threads)
    raise EngineMismatch(f"{path.stem}.engine: built for a Z80")


def open_loop(*given: object) -> GraphRunner:
    raise BackendMissing("t2s_loop: there is none")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in GPU_FIRST:
        monkeypatch.setitem(BACKENDS, name, replace(BACKENDS[name], module=__name__))


def test_engines_come_before_cuda_and_cuda_before_the_cpu() -> None:
    choice = choose("auto", engines=Path("engines"))
    assert choice.backends["vocoder"] == "tensorrt"
    assert choice.below["vocoder"] == ("tensorrt_rtx", "cuda", "cpu")
    without = choose("auto")
    assert without.backends["vocoder"] == "cuda"
    assert without.below["vocoder"] == ("cpu",)


def test_a_graph_that_was_asked_for_by_name_goes_nowhere_else() -> None:
    choice = choose("auto,vocoder=cpu", engines=Path("engines"))
    assert choice.backends["vocoder"] == "cpu"
    assert "vocoder" not in choice.below
    assert choose("tensorrt").below == {}


def test_engines_that_can_t_be_run_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    row = replace(BACKENDS["tensorrt"], module="runtime.backends.engines")
    monkeypatch.setitem(BACKENDS, "tensorrt", row)
    if row.missing() is None:
        pytest.skip("this machine has TensorRT")
    choice = choose("auto", engines=Path("engines"))
    assert choice.backends["vocoder"] == "tensorrt_rtx"
    assert "; no tensorrt: tensorrt is not installed; pip install" in choice.reason


def test_each_graph_goes_down_the_list_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    voice = manifest.load(tiny_bundle())
    choice = choose("auto", voice, engines=Path("engines"))
    graphs = VoiceGraphs.of_bundle(tiny_bundle(), voice, choice, 1, Folders(engines=Path("e")))
    with caplog.at_level(logging.WARNING):
        graphs.open("vocoder")
        graphs.open("prior")
        decoder = graphs.decoder()
    assert graphs.opened == {"vocoder": "tensorrt", "prior": "cpu"} | {
        "t2s_decoder": "cpu",
        "t2s_embed": "cpu",
    }
    assert isinstance(decoder, Decoder)
    message = "prior runs on tensorrt_rtx, not on tensorrt: prior.engine: built for a Z80"
    assert message in caplog.messages
    assert "t2s_decoder runs on cpu, not on cuda: t2s_loop: there is none" in caplog.messages


def test_what_was_asked_for_is_an_error_where_it_can_t_be_used() -> None:
    with pytest.raises(EngineMismatch, match=r"prior\.engine: built for a Z80"):
        Voice.load(tiny_bundle(), provider="prior=tensorrt", threads=1)


def test_a_voice_says_what_runs_it_in_the_end() -> None:
    voice = Voice.load(tiny_bundle(), threads=1, folders=Folders(engines=Path("engines")))
    assert voice.provider is not None
    assert voice.provider.backends["vocoder"] == "tensorrt"
    assert voice.provider.backends["t2s_decoder"] == "cpu"
