import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from runtime.errors import CheckpointError
from tests import goldens
from tests.checkpoint.makers import plain, resaved, torch_file
from workflow_scripts.checkpoint.contents import contents
from workflow_scripts.checkpoint.layout import sovits_layout, t2s_layout
from workflow_scripts.checkpoint.peek import facts, peek
from workflow_scripts.checkpoint.sizes import sovits_sizes, t2s_sizes
from workflow_scripts.random_voice.__main__ import TINY, sovits_config, t2s_config, write_t2s
from workflow_scripts.random_voice.draw import drawn


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as raised:
        peek(path)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def t2s_with(path: Path, section: str, **changes: Any) -> Path:
    config = t2s_config("v2", TINY)
    config[section] |= changes
    weight = drawn(
        t2s_layout(t2s_sizes(t2s_config("v2", TINY), "")), torch.Generator(), torch.half, True
    )
    return torch_file(path, weight=weight, config=config, info="")


def sovits_with(path: Path, section: str, **changes: Any) -> Path:
    config = sovits_config("v2", TINY)
    layout = sovits_layout(sovits_sizes(config, ""), "v2")
    config[section] |= changes
    weight = drawn(layout, torch.Generator(), torch.half, True)
    return torch_file(path, weight=weight, config=config, info="")


def test_facts_need_no_torch(gpt: Path, sovits: dict[str, Path]) -> None:
    code = (
        "import sys; from pathlib import Path; from workflow_scripts.checkpoint.peek import facts;"
        f"print(facts(Path({str(gpt)!r}), Path({str(sovits['v2Pro'])!r})).family);"
        "assert not {'torch', 'numpy', 'onnx'} & set(sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "v2Pro\n"


@pytest.mark.parametrize("family", ["v1", "v2", "v2Pro", "v2ProPlus"])
def test_facts_follow_from_the_files(family: str, sovits: dict[str, Path], tmp_path: Path) -> None:
    symbols = "v1" if family == "v1" else "v2"
    gpt = tmp_path / "mia.ckpt"
    write_t2s(gpt, symbols, TINY, torch.Generator())
    found = facts(gpt, sovits[family], "mia")
    assert (found.family, found.symbols) == (family, symbols)
    assert ("speaker" in found.bases) == ("Pro" in family)
    assert found.acoustic["spectrogram_bins"] == (1025 if family == "v1" else 704)
    assert (found.t2s.hidden, found.t2s.heads, found.t2s.layers) == (64, 4, 2)
    assert found.sovits.gin_channels == (64 if "Pro" in family else 512)


def test_files_of_two_symbol_tables_are_refused(gpt: Path, sovits: dict[str, Path]) -> None:
    with pytest.raises(CheckpointError) as raised:
        facts(gpt, sovits["v1"], "mia")
    assert str(raised.value) == (
        "voice mia: T2S file with v2 symbols (732 rows), SoVITS file with v1 symbols (322);"
        " take both from one training"
    )


def test_swapped_files_are_told_apart(gpt: Path, sovits: dict[str, Path]) -> None:
    with pytest.raises(CheckpointError, match=r"v2\.pth: a SoVITS file where a T2S file is wanted"):
        facts(sovits["v2"], gpt)
    with pytest.raises(CheckpointError, match=r"mia\.ckpt: a T2S file where a SoVITS .* as gpt"):
        facts(gpt, gpt)


def test_a_name_says_nothing(gpt: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "v2ProPlus.pth"
    renamed.write_bytes(gpt.read_bytes())
    assert peek(renamed).contents.kind == "t2s"


def test_a_pro_file_without_its_header_is_still_known(
    sovits: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "mia.pth"
    for family in ("v2Pro", "v2ProPlus"):
        path.write_bytes(b"PK" + sovits[family].read_bytes()[2:])
        assert peek(path).family == family


def test_a_header_that_the_content_belies_is_refused(
    sovits: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "mia.pth"
    path.write_bytes(b"05" + sovits["v2"].read_bytes()[2:])
    assert "claims SoVITS v2Pro (header 05) but has no sv_emb.weight" in refusal(path)
    path.write_bytes(b"00" + sovits["v2"].read_bytes()[2:])
    assert peek(path).family == "v2"


@pytest.mark.parametrize(
    ("section", "changes", "said"),
    [
        ("model", {"hidden_dim": 62}, "config.model.embedding_dim: 64 is not hidden_dim"),
        ("model", {"hidden_dim": "64"}, "config.model.hidden_dim: '64' is not a whole number"),
        ("model", {"n_layer": 10**9}, "is not a whole number from 1 to 256"),
        ("model", {"EOS": 1023}, "config.model.EOS: 1023 is not vocab_size - 1"),
        ("model", {"head": 5}, "config.model.head: 5 does not divide hidden_dim"),
        ("model", {"n_layer": 3}, "model.h.layers.2.self_attn.in_proj_weight is missing"),
        ("model", {"phoneme_vocab_size": 512}, "is [732, 64], its config asks for [512, 64]"),
        ("data", {"max_sec": True}, "config.data.max_sec: True is not a whole number"),
    ],
)
def test_a_t2s_config_that_its_tensors_belie_is_refused(
    tmp_path: Path, section: str, changes: dict[str, Any], said: str
) -> None:
    assert said in refusal(t2s_with(tmp_path / "mia.ckpt", section, **changes))


@pytest.mark.parametrize(
    ("section", "changes", "said"),
    [
        ("model", {"gin_channels": 256}, "gin_channels: 256 is not 512, which SoVITS v2 wants"),
        ("model", {"hidden_channels": 96}, "config.model.hidden_channels: 96 is not 192"),
        ("model", {"upsample_rates": [10, 8, 2, 2]}, "do not multiply to 640"),
        ("model", {"upsample_kernel_sizes": [16, 16]}, "do not fit upsample_rates"),
        ("model", {"upsample_rates": 640}, "config.model.upsample_rates: not a short list"),
        ("model", {"resblock": "2"}, "config.model.resblock: '2' is not '1'"),
        ("model", {"resblock_dilation_sizes": [[1, 3]] * 3}, "are not 3 for each kernel"),
        ("model", {"filter_channels": 32}, "its config asks for [32, 192, 3]"),
        ("data", {"sampling_rate": 48000}, "config.data.sampling_rate: 48000 is not 32000"),
    ],
)
def test_a_sovits_config_that_can_not_be_built_is_refused(
    tmp_path: Path, section: str, changes: dict[str, Any], said: str
) -> None:
    assert said in refusal(sovits_with(tmp_path / "mia.pth", section, **changes))


def test_unknown_config_keys_and_a_missing_info_are_fine(tmp_path: Path) -> None:
    path = t2s_with(tmp_path / "mia.ckpt", "model", colour="red", linear_units=77)
    content = plain(path)
    del content["info"]
    assert peek(torch_file(path, **content)).contents.info == ""


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"config": [1]}, "config is not a mapping"),
        ({"config": {}}, "config.model: missing"),
        ({"weight": {}}, "weight holds no tensors"),
        ({"weight": {"model.ar_x": 3}}, "weight holds more than tensors"),
        ({"weight": {"conv1.weight": torch.zeros(1)}}, "neither a T2S nor a SoVITS file"),
        ({"config": {"model": torch.zeros(1)}}, "config.model is a Stub"),
    ],
)
def test_entries_that_are_no_checkpoint_are_refused(
    gpt: Path, tmp_path: Path, entries: dict[str, Any], said: str
) -> None:
    assert said in refusal(resaved(gpt, tmp_path / "mia.ckpt", **entries))


def test_a_config_without_end_is_refused(gpt: Path, tmp_path: Path) -> None:
    laughs: Any = "ha"
    for _ in range(18):
        laughs = [laughs] * 10
    path = resaved(gpt, tmp_path / "mia.ckpt", config={"model": laughs})
    assert "config.model has no end" in refusal(path).replace("[]", "")


def test_trainers_resume_files_are_called_so(tmp_path: Path) -> None:
    network = torch.nn.Linear(2, 2)
    states = {"optimizer": torch.optim.AdamW(network.parameters()).state_dict()}
    lightning = {"state_dict": network.state_dict(), "optimizer_states": [states]}
    for more in ({}, {"callbacks": Path("x")}):  # the latter asks for a class of pathlib
        path = torch_file(tmp_path / "last.ckpt", **lightning, **more)
        assert refusal(path) == (
            f"{path}: a trainer's resume file (has state_dict, no weight);"
            " use the one in GPT_weights*"
        )
    path = torch_file(tmp_path / "G_1.pth", model=network.state_dict(), iteration=1, **states)
    assert "(has optimizer, no weight); use the one in SoVITS_weights*" in refusal(path)


def test_a_flat_file_of_tensors_is_refused(tmp_path: Path) -> None:
    path = torch_file(tmp_path / "eres.ckpt", bn1=torch.zeros(1))
    assert "has no weight and config (but bn1)" in refusal(path)


@pytest.mark.golden
@pytest.mark.parametrize("case", goldens.sovits_models(), ids=str)
def test_goldens_show_their_family(case: goldens.Case) -> None:
    found = peek(case.model)
    assert found.family == case.name
    assert set(found.layout) <= set(contents(case.model).shapes)


def test_a_symbol_table_that_nobody_has_is_refused() -> None:
    folder = goldens.OWN
    with pytest.raises(CheckpointError, match=r"400 rows fit no symbol table; known are 512 \(v1"):
        facts(folder / "t2s" / "tiny_c.ckpt", folder / "sovits" / "v2.pth")
