"""Files of v3 and v4, and LoRA files of both: what they are, and which belong together."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from runtime.errors import CheckpointError
from tests.checkpoint.makers import torch_file
from workflow_scripts.checkpoint.cfm import FULL, cfm_layout, cfm_sizes
from workflow_scripts.checkpoint.lora import LoraSizes, lora_layout
from workflow_scripts.checkpoint.peek import buildable, facts, peek
from workflow_scripts.checkpoint.read import read
from workflow_scripts.checkpoint.vocoder_layout import (
    BIGVGAN,
    VOCODER_V4,
    bigvgan_layout,
    vocoder_v4_layout,
)
from workflow_scripts.checkpoint.whole import read_whole
from workflow_scripts.random_voice.__main__ import TINY as TINY_VOICE
from workflow_scripts.random_voice.__main__ import write_t2s
from workflow_scripts.random_voice.flow_matching import TINY, write_flow_matching, write_lora

RANK = 4
LAYOUTS = {  # count and digest of the reference's sorted names and shapes
    "whole": (685, "0a15554c537d6999d0dbf508bf3d03ca"),
    "lora": (258, "5f45c3c9b1e63331ea6aaa8dd5bc38ef"),
    "bigvgan": (783, "1fcfbc67a062b216d88138ee43cd7e0f"),
    "vocoder_v4": (194, "765d3bcf17f2175355f8a1da01ea4fbb"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small whole file and a small LoRA of each family."""
    folder, found = tmp_path_factory.mktemp("cfm"), {}
    for seed, family in enumerate(("v3", "v4")):
        found[family], lora = folder / f"{family}.pth", f"{family} LoRA"
        found[lora] = folder / f"{family}_lora.pth"
        draw = torch.Generator().manual_seed(seed)
        write_flow_matching(found[family], family, TINY, draw)
        write_lora(found[lora], family, TINY, RANK, draw)
    return found


def full_lora() -> LoraSizes:
    named = {name: getattr(FULL, name) for name in LoraSizes.__dataclass_fields__ if name != "rank"}
    return LoraSizes(rank=32, **named)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_tensors_are_those_of_the_reference(kind: str) -> None:
    layouts = {
        "whole": cfm_layout(FULL),
        "lora": lora_layout(full_lora()),
        "bigvgan": bigvgan_layout(BIGVGAN),
        "vocoder_v4": vocoder_v4_layout(VOCODER_V4),
    }
    rows = sorted([name, list(shape)] for name, shape in layouts[kind].items())
    text = json.dumps(rows, separators=(",", ":"))
    assert (len(rows), hashlib.sha256(text.encode()).hexdigest()[:32]) == LAYOUTS[kind]


def test_sizes_are_read_from_shapes() -> None:
    assert cfm_sizes(cfm_layout(FULL), "mia") == FULL
    assert cfm_sizes(cfm_layout(TINY), "mia") == TINY


@pytest.mark.parametrize("family", ["v3", "v4", "v3 LoRA", "v4 LoRA"])
def test_a_file_shows_its_family(files: dict[str, Path], gpt: Path, family: str) -> None:
    found = peek(files[family])
    assert found.family == family
    assert facts(gpt, files[family]).family == family
    assert set(found.layout) == set(found.contents.shapes)


def test_a_lora_is_merged_over_its_base(files: dict[str, Path]) -> None:
    lora, base = read(files["v3 LoRA"]).widened(), read(files["v3"]).widened()
    whole = read_whole(files["v3 LoRA"], files["v3"])
    assert (whole.family, whole.sizes) == ("v3", TINY)
    assert set(whole.weights) == set(base)
    stem = "estimator.transformer_blocks.1.attn.to_out.0"
    down = lora[f"cfm.base_model.model.{stem}.lora_A.default.weight"]
    up = lora[f"cfm.base_model.model.{stem}.lora_B.default.weight"]
    moved = base[f"cfm.{stem}.weight"] + up @ down
    assert torch.equal(whole.weights[f"cfm.{stem}.weight"], moved)
    assert torch.equal(whole.weights[f"cfm.{stem}.bias"], base[f"cfm.{stem}.bias"])
    assert torch.equal(whole.weights["bridge.0.weight"], lora["bridge.0.weight"])
    assert torch.equal(
        whole.weights["enc_p.text_embedding.weight"], base["enc_p.text_embedding.weight"]
    )


def test_alpha_over_rank_is_the_files_own(files: dict[str, Path], tmp_path: Path) -> None:
    stronger = with_entries(files["v4 LoRA"], tmp_path / "strong.pth", lora_alpha=2 * RANK)
    name = "cfm.estimator.transformer_blocks.0.attn.to_q.weight"
    base = read(files["v4"]).widened()[name]
    once = read_whole(files["v4 LoRA"], files["v4"]).weights[name] - base
    twice = read_whole(stronger, files["v4"]).weights[name] - base
    torch.testing.assert_close(twice, 2 * once, atol=1e-6, rtol=1e-5)


def test_a_whole_file_needs_no_base(files: dict[str, Path]) -> None:
    assert read_whole(files["v4"]).family == "v4"


@pytest.mark.parametrize(
    ("lora", "base", "said"),
    [
        ("v3 LoRA", None, "SoVITS v3 LoRA without its base; give the v3 file that it was trained"),
        ("v3 LoRA", "v4", "SoVITS v3 LoRA over {v4}, which is v4; give the v3 file"),
        ("v4 LoRA", "v3", "SoVITS v4 LoRA over {v3}, which is v3; give the v4 file"),
        ("v4 LoRA", "v4 LoRA", "SoVITS v4 LoRA over {v4 LoRA}, which is v4 LoRA; give the v4"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(
    files: dict[str, Path], lora: str, base: str | None, said: str
) -> None:
    with pytest.raises(CheckpointError) as raised:
        read_whole(files[lora], files[base] if base else None)
    assert said.format_map(files) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_lora_of_other_sizes_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    write_lora(other, "v3", replace(TINY, depth=3), RANK, torch.Generator())
    with pytest.raises(CheckpointError, match=r"don't belong together: depth is 3 and 2; give the"):
        read_whole(other, files["v3"])


def test_a_rank_that_the_tensors_belie_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    wrong = with_entries(files["v3 LoRA"], tmp_path / "wrong.pth", lora_rank=8)
    with pytest.raises(CheckpointError, match=r"lora_rank is 8, .* has 4 rows"):
        peek(wrong)
    none = with_entries(files["v3 LoRA"], tmp_path / "none.pth", lora_rank=0)
    with pytest.raises(CheckpointError, match=r"lora_rank is 0, not a number from 1 on"):
        peek(none)


def test_an_incomplete_file_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    weight = dict(read(files["v3"]).weights)
    del weight["wns1.proj.bias"]
    path = with_entries(files["v3"], tmp_path / "part.pth", weight=weight)
    with pytest.raises(CheckpointError, match=r"wns1\.proj\.bias is missing"):
        peek(path)


def test_a_t2s_file_of_another_symbol_table_is_refused(
    files: dict[str, Path], tmp_path: Path
) -> None:
    old = tmp_path / "old.ckpt"
    write_t2s(old, "v1", TINY_VOICE, torch.Generator())
    with pytest.raises(CheckpointError, match=r"T2S file with v1 symbols \(512 rows\), SoVITS"):
        facts(old, files["v4"], "mia")


def test_a_build_begins_with_files_that_belong_together(files: dict[str, Path], gpt: Path) -> None:
    assert buildable(gpt, files["v3"]).family == "v3"
    assert buildable(gpt, files["v4 LoRA"], files["v4"]).family == "v4 LoRA"
    with pytest.raises(CheckpointError, match="SoVITS v4 LoRA without its base; give the v4 file"):
        buildable(gpt, files["v4 LoRA"])
    with pytest.raises(CheckpointError, match=r"SoVITS v4 LoRA over .*, which is v3; give the v4"):
        buildable(gpt, files["v4 LoRA"], files["v3"])
    with pytest.raises(CheckpointError, match="SoVITS v3 is whole and takes no base; leave it out"):
        buildable(gpt, files["v3"], files["v4"])


def with_entries(source: Path, target: Path, **entries: object) -> Path:
    """A file with some of its top entries replaced, its header kept."""
    stored = read(source)
    given = {"weight": stored.weights, "config": stored.config, "info": ""}
    rank = {"lora_rank": RANK} if source.stem.endswith("lora") else {}
    torch_file(target, **{**given, **rank, **entries})
    target.write_bytes(source.read_bytes()[:2] + target.read_bytes()[2:])
    return target
