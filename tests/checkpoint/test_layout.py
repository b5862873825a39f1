"""The rules against digests of the reference's own names and shapes."""

import hashlib
import json
from collections.abc import Mapping

import pytest

from runtime.errors import CheckpointError
from workflow_scripts.checkpoint.layout import Shape, check_layout, sovits_layout, t2s_layout
from workflow_scripts.checkpoint.sizes import sovits_sizes, t2s_sizes
from workflow_scripts.random_voice.__main__ import FULL, sovits_config, t2s_config
from workflow_scripts.random_voice.base_layout import (
    HubertSizes,
    RobertaSizes,
    SpeakerSizes,
    hubert_layout,
    roberta_layout,
    speaker_layout,
)

T2S = {
    "v1": (295, "3fbb8c21a0f178e950b8a5beb6adc7b2"),
    "v2": (295, "6a425729a4b02cced834ee9ec10acc90"),
}
SOVITS = {
    "v1": (673, "12b448e6dc0e2bd936553ace4c7a823f"),
    "v2": (673, "2e3f2a7ada3b51b9467b0f2c5d59579c"),
    "v2Pro": (678, "b39f818758f6e6cdd9479a39362a184b"),
    "v2ProPlus": (678, "7fe0810cb6b7fe9e73fe3eb31b277501"),
}
SPEAKER = (1001, "436308c2a4e6c1226373e541ef15d326")
HUBERT = (
    211,
    "b2e9b87bfaa567e53392752d9a21c822",
)  # sorted by name: PyTorch versions list them differently
ROBERTA = (396, "56be183576c5abd1ea5fe324e873ff8d")


def digest(layout: Mapping[str, Shape], in_order: bool = True) -> tuple[int, str]:
    rows = [[name, list(shape)] for name, shape in layout.items()]
    text = json.dumps(rows if in_order else sorted(rows), separators=(",", ":"))
    return len(rows), hashlib.sha256(text.encode()).hexdigest()[:32]


@pytest.mark.parametrize("symbols", T2S)
def test_t2s_tensors_are_those_of_the_reference(symbols: str) -> None:
    layout = t2s_layout(t2s_sizes(t2s_config(symbols, FULL), ""))
    assert digest(layout) == T2S[symbols]


@pytest.mark.parametrize("family", SOVITS)
def test_sovits_tensors_are_those_of_the_reference(family: str) -> None:
    layout = sovits_layout(sovits_sizes(sovits_config(family, FULL), ""), family)
    assert digest(layout) == SOVITS[family]


def test_tensors_of_the_bases_are_those_of_the_reference() -> None:
    assert digest(speaker_layout(SpeakerSizes())) == SPEAKER
    assert digest(hubert_layout(HubertSizes()), in_order=False) == HUBERT
    assert digest(roberta_layout(RobertaSizes()), in_order=False) == ROBERTA


def test_one_more_element_changes_a_digest() -> None:
    layout = t2s_layout(t2s_sizes(t2s_config("v2", FULL), ""))
    assert digest(layout | {"model.bert_proj.bias": (513,)}) != T2S["v2"]


def test_a_missing_and_a_misshapen_tensor_are_named() -> None:
    layout: dict[str, Shape] = {"a": (1,), "b": (2, 3)}
    check_layout({"a": (1,), "b": [2, 3], "c": (9,)}, layout, "mia.pth")
    with pytest.raises(CheckpointError, match=r"mia\.pth: b is missing \(with 0 more of 2\)"):
        check_layout({"a": (1,)}, layout, "mia.pth")
    with pytest.raises(CheckpointError, match=r"b is \[3, 2\], its config asks for \[2, 3\]"):
        check_layout({"a": (1,), "b": (3, 2)}, layout, "mia.pth")
