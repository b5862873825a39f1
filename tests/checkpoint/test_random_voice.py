import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import torch
import yaml

from workflow_scripts.checkpoint.families import FAMILIES, SUPPORTED
from workflow_scripts.checkpoint.peek import buildable, facts
from workflow_scripts.checkpoint.read import read
from workflow_scripts.random_voice.__main__ import TINY, main, write_t2s, write_voice
from workflow_scripts.random_voice.base_layout import CHARACTERS, roberta_layout, speaker_layout
from workflow_scripts.random_voice.characters import tokenizer, vocabulary
from workflow_scripts.random_voice.draw import drawn


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The overlay of a small voice of each family."""
    folder = tmp_path_factory.mktemp("voices")
    return {family: write_voice(folder / family, family, TINY, seed=3) for family in SUPPORTED}


@pytest.mark.parametrize("family", SUPPORTED)
def test_the_overlay_names_all_that_a_build_needs(voices: dict[str, Path], family: str) -> None:
    content = yaml.safe_load(voices[family].read_text("utf-8"))
    (voice,) = content["voices"]
    found = facts(Path(voice["gpt"]), Path(voice["sovits"]), voice["name"])
    assert found.family == family
    base = {"base"} if FAMILIES[family].base else set()
    assert set(voice) == {"name", "gpt", "sovits", "reference"} | base
    under = Path(voice["base"]) if base else None
    assert buildable(Path(voice["gpt"]), Path(voice["sovits"]), under).family == family
    assert set(voice["reference"]) == {"audio", "text", "lang"}
    bases = content["shared"]
    further = {"sv": "speaker", "bigvgan": "bigvgan", "vocoder_v4": "vocoder_v4"}
    assert set(bases) == {"ssl", "bert", *further}
    for word, graph in further.items():
        assert (bases[word] is not None) == (graph in FAMILIES[family].bases)
    for base in (bases["ssl"], bases["bert"]):
        assert (Path(base) / "pytorch_model.bin").is_file()
        assert json.loads((Path(base) / "config.json").read_text("utf-8"))["model_type"]


def test_headers_are_those_that_trainers_write(voices: dict[str, Path]) -> None:
    headers = {family: (at.parent / "voice.pth").read_bytes()[:2] for family, at in voices.items()}
    assert headers == {
        **dict.fromkeys(("v1", "v2", "v3", "v4"), b"PK"),
        "v2Pro": b"05",
        "v2ProPlus": b"06",
        "v3 LoRA": b"03",
        "v4 LoRA": b"04",
    }


def test_eos_always_scores_nothing(voices: dict[str, Path]) -> None:
    table = read(voices["v2"].parent / "voice.ckpt").weights["model.ar_predict_layer.weight"]
    assert not table[1024].any()
    assert table[:1024].abs().sum(dim=1).min() > 0


def test_the_same_seed_gives_the_same_weights(gpt: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again.ckpt", tmp_path / "other.ckpt"
    write_t2s(again, "v2", TINY, torch.Generator().manual_seed(1))
    write_t2s(other, "v2", TINY, torch.Generator().manual_seed(2))
    name = "model.h.layers.1.linear2.weight"
    assert torch.equal(read(again).weights[name], read(gpt).weights[name])
    assert not torch.equal(read(other).weights[name], read(gpt).weights[name])


def test_a_weight_norm_changes_nothing(voices: dict[str, Path]) -> None:
    weights = read(voices["v2Pro"].parent / "voice.pth").widened()
    for name in ("dec.ups.0", "dec.resblocks.4.convs1.2", "flow.flows.2.enc.cond_layer"):
        direction = weights[f"{name}.weight_v"]
        norm = torch.linalg.vector_norm(direction, dim=(1, 2), keepdim=True)
        torch.testing.assert_close(weights[f"{name}.weight_g"], norm, rtol=2e-3, atol=0)


def test_a_position_convolution_is_normed_along_its_last_axis(voices: dict[str, Path]) -> None:
    path = voices["v2"].parent / "hubert" / "pytorch_model.bin"
    weights = torch.load(path, weights_only=True)
    norm = weights["encoder.pos_conv_embed.conv.weight_g"]
    direction = weights["encoder.pos_conv_embed.conv.weight_v"].float()
    assert norm.shape == (1, 1, TINY.hubert.position_kernel)
    found = torch.linalg.vector_norm(direction, dim=(0, 1), keepdim=True)
    torch.testing.assert_close(norm.float(), found, rtol=2e-3, atol=0)


def test_shared_rows_are_those_of_a_small_file(tmp_path: Path) -> None:
    layout = roberta_layout(TINY.roberta)
    weights = drawn(layout, torch.Generator().manual_seed(0), torch.float16, shared=True)
    assert {name: tuple(t.shape) for name, t in weights.items()} == layout
    dense = weights["bert.encoder.layer.0.output.dense.weight"]
    assert torch.equal(dense[1, :-1], dense[0, 1:])
    assert torch.linalg.matrix_rank(dense.float()) == min(dense.shape)


def test_counters_of_the_speaker_network_are_whole_numbers() -> None:
    weights = drawn(speaker_layout(TINY.speaker), torch.Generator(), torch.float32, shared=True)
    assert {name: tuple(t.shape) for name, t in weights.items()} == speaker_layout(TINY.speaker)
    assert weights["bn1.num_batches_tracked"].dtype == torch.int64
    assert weights["seg_1.weight"].shape == (192, 40960)


def test_each_chinese_character_is_one_token() -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="the tokenizer file stays unread")
    cutter = tokenizers.Tokenizer.from_str(json.dumps(tokenizer()))
    text = "你好，世界！龘A1。"
    encoded = cutter.encode(text)
    assert encoded.tokens == ["[CLS]", *"你好，世界！龘", "[UNK]", "。", "[SEP]"]
    assert sorted(vocabulary().values()) == list(range(CHARACTERS))


def test_the_reference_is_four_seconds_and_not_clipped(voices: dict[str, Path]) -> None:
    sound, rate_hz = soundfile.read(voices["v1"].parent / "reference.wav")
    assert (sound.size, rate_hz) == (4 * 32000, 32000)
    assert 0.2 < abs(sound).max() < 0.9


def test_the_command_says_what_to_pass_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--family", "v2Pro", "--out", str(tmp_path), "--seed", "5", "--tiny"])
    assert capsys.readouterr().out == f"{tmp_path / 'voice.yaml'}\n"


def test_a_family_that_is_not_supported_is_a_usage_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "workflow_scripts.random_voice"]
    run = subprocess.run(
        [*command, "--family", "v9", "--out", str(tmp_path / "v")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "invalid choice: 'v9'" in run.stderr
    assert not (tmp_path / "v").exists()
