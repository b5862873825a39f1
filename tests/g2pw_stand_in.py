"""A folder like g2pW's: tables of a few characters, and a graph whose preferences a test sets."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

POLYPHONIC = "行\tㄏㄤ2\n行\tㄒㄧㄥ2\n長\tㄔㄤ2\n長\tㄓㄤ3\n一\tㄧ1\n一\tㄧ2\n"
MONOPHONIC = "銀\tㄧㄣ2\n似\tㄕ4\n好\tㄏㄠ4\n怪\tㄍㄨㄞ4\n"  # the last has no spelling
SPELLING = {"ㄏㄤ": "hang", "ㄒㄧㄥ": "xing", "ㄔㄤ": "chang", "ㄓㄤ": "zhang", "ㄧ": "yi"} | {
    "ㄧㄣ": "yin",
    "ㄕ": "shi",
    "ㄏㄠ": "hao",
}
CHARACTERS = sorted("行長一")
LABELS = sorted({"ㄏㄤ2", "ㄒㄧㄥ2", "ㄔㄤ2", "ㄓㄤ3", "ㄧ1", "ㄧ2"})
CONFIG = """
import no_such_module
raise SystemExit("config.py was run")
window_size = 32
use_mask = True
use_char_phoneme = False
"""
VOCABULARY = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "銀": 3, "行": 4, "長": 5, "好": 6}


def lay_out(folder: Path, prefers: Mapping[str, str] | None = None, **files: str) -> Path:
    """Write the folder.

    Args:
        folder: made.
        prefers: character → the label that the graph likes best where it sees that character.
        files: text of `config` or `words`, in place of ours.
    """
    folder.mkdir()
    (folder / "config.py").write_text(files.get("config", CONFIG))
    (folder / "POLYPHONIC_CHARS.txt").write_text(POLYPHONIC, "utf-8")
    (folder / "MONOPHONIC_CHARS.txt").write_text(MONOPHONIC, "utf-8")
    spelling = folder / "bopomofo_to_pinyin_wo_tune_dict.json"
    spelling.write_text(json.dumps(SPELLING), "utf-8")
    if "words" in files:
        (folder / "polyphonic.rep").write_text(files["words"], "utf-8")
    onnx.save(graph(prefers or {}), folder / "g2pW.onnx")
    return folder


def files(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in folder.iterdir()}


def graph(prefers: Mapping[str, str]) -> onnx.ModelProto:
    """Likes by the token at the asked position, times likes by the character's number.

    Both must be right for the preferred label to win by far; the mask is not applied, so that a
    label which the character can't have stays likely.
    """
    by_token = np.full((len(VOCABULARY), len(LABELS)), 0.1, np.float32)
    by_character = np.full((len(CHARACTERS), len(LABELS)), 0.1, np.float32)
    for char, label in prefers.items():
        by_token[VOCABULARY[char], LABELS.index(label)] = 1
        by_character[CHARACTERS.index(char), LABELS.index(label)] = 1
    nodes = [
        helper.make_node("Unsqueeze", ["position_ids", "one"], ["at"]),
        helper.make_node("GatherElements", ["input_ids", "at"], ["tokens"], axis=1),
        helper.make_node("Squeeze", ["tokens", "one"], ["token"]),
        helper.make_node("Gather", ["by_token", "token"], ["likes"]),
        helper.make_node("Gather", ["by_character", "char_ids"], ["more_likes"]),
        helper.make_node("Mul", ["likes", "more_likes"], ["probs"]),
    ]
    constants = {"one": np.array([1]), "by_token": by_token, "by_character": by_character}
    texts = [_put(name, "BT") for name in ("input_ids", "token_type_ids", "attention_mask")]
    mask = helper.make_tensor_value_info("phoneme_mask", TensorProto.FLOAT, ["B", len(LABELS)])
    made = helper.make_graph(
        nodes,
        "g2pW",
        [*texts, mask, _put("char_ids", "B"), _put("position_ids", "B")],
        [helper.make_tensor_value_info("probs", TensorProto.FLOAT, ["B", len(LABELS)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _put(name: str, dims: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.INT64, [*dims])


class Recorded:
    """A graph that remembers what it was given."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.calls: list[dict[str, NDArray[Any]]] = []

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        self.calls.append(dict(inputs))
        return list(self.graph.run(inputs))
