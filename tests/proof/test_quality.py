"""Bundles beside each other: what is the same, what a coarser graph changes, and where."""

from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

from runtime import records
from runtime.errors import ArtifactError, SettingError
from tests import bundles
from tests.graphs.exported import exported
from workflow_scripts.graphs import answers
from workflow_scripts.proof import quality
from workflow_scripts.variants.job import ReductionJob
from workflow_scripts.variants.precisions import reduce_file

TEXT = "[phones=HH AH0 L OW1]\n\n[phones=W ER1 L D .]\n"
HOW = {"lang": "en", "seed": 3, "threads": 1}


@pytest.fixture(scope="module")
def coarse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The v2 voice with a decoder of 4 bits and a vocoder with one wrong weight."""
    folder = bundles.copied(bundles.v2(), tmp_path_factory.mktemp("coarse") / "bundle")
    recorded = answers.load(exported("t2s", bundles.GPT) / "t2s_decoder.npz")
    made, record = folder.parent / "int4.onnx", folder.parent / "int4.json"
    job = ReductionJob("t2s_decoder", recorded, block=32)
    reduce_file(folder / "t2s_decoder.onnx", made, record, to="int4_kv8", job=job)
    bundles.replace_file(folder / "t2s_decoder.onnx", made.read_bytes())
    vocoder = onnx.load(folder / "vocoder.onnx")
    weight = max(vocoder.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * 1.1, weight.name))
    bundles.replace_file(folder / "vocoder.onnx", vocoder.SerializeToString())
    for name in ("t2s_decoder.onnx", "vocoder.onnx"):
        bundles.list_anew(folder, name)
    return folder


@pytest.fixture(scope="module")
def reports(coarse: Path) -> list[quality.Distances]:
    found = quality.quality([bundles.v2(), coarse], ["cpu"], TEXT, HOW)
    assert list(found) == [f"{folder} on cpu" for folder in (bundles.v2(), coarse)]
    return list(found.values())


def test_the_first_bundle_equals_itself(reports: list[quality.Distances]) -> None:
    first, _ = reports
    zero = ("logits_kl", "logits_max_abs", "worst_sentence_kl", "audio_log_mel_distance")
    assert {getattr(first, key) for key in (*zero, "style_relative_rms")} == {0}
    one = ("logits_top1_agreement", "tokens_of_own", "prompt_tokens_token_equality")
    assert {getattr(first, key) for key in one} == {1}
    assert first.audio_snr_db == 200


def test_a_coarser_decoder_shows_in_the_logits_and_in_the_size(
    reports: list[quality.Distances],
) -> None:
    first, coarse = reports
    assert 1e-4 < coarse.logits_kl <= coarse.worst_sentence_kl
    assert coarse.t2s_decoder_mb < first.t2s_decoder_mb
    assert coarse.prompt_tokens_token_equality == 1


def test_a_wrong_weight_of_the_vocoder_shows_in_the_sound(reports: list[quality.Distances]) -> None:
    assert reports[1].audio_snr_db < 60
    assert reports[1].audio_log_mel_distance > 0


def test_the_command_prints_a_row_for_each_and_writes_the_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, output = tmp_path / "lines.txt", tmp_path / "quality.json"
    text.write_text("[phones=HH AH0 L OW1]", "utf-8")
    files = ["--text-file", f"{text}", "--json", f"{output}"]
    quality.main(["-m", f"{bundles.v2()}", *files, "--lang", "en", "--threads", "1"])
    report = records.read(quality.QualityReport, output, ArtifactError, "again")
    assert list(report.candidates) == [f"{bundles.v2()} on cpu"]
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["kl", "worst", "top-1"]
    assert row.startswith(f"{bundles.v2()} on cpu")


def test_a_text_without_a_line_is_refused() -> None:
    with pytest.raises(SettingError, match="text: no line with something to say"):
        quality.quality([bundles.v2()], ["cpu"], " \n", HOW)
