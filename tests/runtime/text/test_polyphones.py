"""Readings by g2pW's interface, asked of a stand-in whose preferences are known."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from runtime import manifest
from runtime.backends import Threads
from runtime.backends.cpu import open_graph
from runtime.errors import ArtifactError
from runtime.text import phonemize
from runtime.text.zh.polyphones import CONFIG as CONFIG_FILE
from runtime.text.zh.polyphones import (
    CONTEXT,
    GRAPH,
    LONGEST,
    MONOPHONIC,
    POLYPHONIC,
    SPELLING,
    WORDS,
    Polyphones,
    read_tables,
)
from tests.g2pw_stand_in import CHARACTERS, CONFIG, LABELS, VOCABULARY, Recorded, files, lay_out

pytest.importorskip("jieba")
pytest.importorskip("opencc")

Made = tuple[Polyphones, list[dict[str, np.ndarray]]]


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Made]:
    """Makes a chooser from a folder, and the list of what its graph was given."""

    def make(prefers: dict[str, str], **texts: str) -> Made:
        folder = lay_out(tmp_path / "g2pw", prefers, **texts)
        model = Recorded(open_graph(folder / "g2pW.onnx", Threads(1)))
        return Polyphones(read_tables(files(folder)), VOCABULARY, lambda: model), model.calls

    return make


def phones(text: str, polyphones: Polyphones | None) -> str:
    return " ".join(phonemize(text, "zh", polyphones=polyphones).phones)


@pytest.mark.parametrize(("label", "said"), [("ㄏㄤ2", "h ang2"), ("ㄒㄧㄥ2", "x ing2")])
def test_what_the_model_prefers_is_what_is_read(
    made: Callable[..., Made], label: str, said: str
) -> None:
    chooser, _ = made({"行": label})
    assert phones("去银行。", chooser) == f"q v4 y in2 {said} ."
    assert phones("去银行。", None) == "q v4 y in2 h ang2 ."


def test_tones_act_on_what_was_chosen(made: Callable[..., Made]) -> None:
    chooser, _ = made({"長": "ㄓㄤ3"})
    assert phones("很长远。", None) == "h en3 ch ang2 y van3 ."
    assert phones("很长远。", chooser) == "h en3 zh ang2 y van3 ."


def test_only_listed_polyphonic_characters_are_asked(made: Callable[..., Made]) -> None:
    chooser, calls = made({"行": "ㄒㄧㄥ2"})
    assert chooser.readings("一似银行好大,") == [None, None, "yin2", "xing2", "hao4", None, None]
    (call,) = calls
    assert [CHARACTERS[i] for i in call["char_ids"]] == ["行"]
    chooser.readings("今天没有,")
    assert len(calls) == 1


def test_inputs_have_the_names_types_and_shapes_of_g2pw(made: Callable[..., Made]) -> None:
    chooser, calls = made({})
    chooser.readings("银行行长好.")
    (call,) = calls
    shapes = {name: (str(array.dtype), array.shape) for name, array in call.items()}
    text = ("int64", (3, 8))
    assert shapes == {
        **dict.fromkeys(("input_ids", "token_type_ids", "attention_mask"), text),
        "phoneme_mask": ("float32", (3, len(LABELS))),
        **dict.fromkeys(("char_ids", "position_ids"), ("int64", (3,))),
    }
    assert call["input_ids"].tolist() == [[1, 3, 4, 4, 5, 6, 0, 2]] * 3
    assert call["position_ids"].tolist() == [2, 3, 4]
    assert (call["attention_mask"] == 1).all()
    assert (call["token_type_ids"] == 0).all()


@pytest.mark.parametrize("masked", [True, False])
def test_a_reading_that_the_character_does_not_have_is_never_taken(
    made: Callable[..., Made], masked: bool
) -> None:
    config = CONFIG.replace("use_mask = True", f"use_mask = {masked}")
    chooser, calls = made({"行": "ㄓㄤ3"}, config=config)
    assert chooser.readings("行")[0] in ("hang2", "xing2")
    legal = [LABELS[i] in ("ㄏㄤ2", "ㄒㄧㄥ2") for i in range(len(LABELS))]
    assert calls[0]["phoneme_mask"].tolist() == [[float(not masked or one) for one in legal]]


@pytest.mark.parametrize("gap", [1, 300, 700])
def test_long_text_is_asked_in_windows_around_its_characters(
    made: Callable[..., Made], gap: int
) -> None:
    chooser, calls = made({"行": "ㄒㄧㄥ2", "長": "ㄓㄤ3"})
    text = "天" * 40 + ("行" + "天" * gap + "长" + "天" * gap) * 3
    said = chooser.readings(text)
    for char, want in (("行", "xing2"), ("长", "zhang3"), ("天", None)):
        assert {one for one, at in zip(said, text, strict=True) if at == char} == {want}
    for call in calls:
        width = call["input_ids"].shape[1]
        first, last = call["position_ids"].min(), call["position_ids"].max()
        assert width <= LONGEST + 2
        assert first == CONTEXT + 1
        assert width - 2 - last == (min(CONTEXT, gap) if call is calls[-1] else CONTEXT)
    assert sum(call["char_ids"].size for call in calls) == 6
    assert len(calls) == {1: 1, 300: 3, 700: 6}[gap]


def test_labels_may_name_their_character(made: Callable[..., Made]) -> None:
    config = CONFIG.replace("use_char_phoneme = False", "use_char_phoneme = True")
    chooser, calls = made({}, config=config)
    assert chooser.readings("行")[0] in ("hang2", "xing2")
    assert calls[0]["phoneme_mask"].shape == (1, 6)


def test_a_list_of_words_overrules_the_model(made: Callable[..., Made]) -> None:
    words = "银行: ['yin2', 'hang2']\n好: ['hao3']\n"
    chooser, _ = made({"行": "ㄒㄧㄥ2"}, words=words)
    assert phones("去银行。", chooser) == "q v4 y in2 h ang2 ."
    assert phones("很不好。", chooser).endswith("h ao3 .")
    assert phones("请行走。", chooser) == "q ing3 x ing2 z ou3 ."


def test_the_chooser_does_not_change_how_many_phones_there_are(made: Callable[..., Made]) -> None:
    chooser, _ = made({"行": "ㄒㄧㄥ2", "長": "ㄓㄤ3"})
    text = "银行行长一行人,长远好似花儿."
    with_it, without = phonemize(text, "zh", polyphones=chooser), phonemize(text, "zh")
    assert [s.word2ph for s in with_it.segments] == [s.word2ph for s in without.segments]
    assert with_it != without


@pytest.mark.parametrize(
    "name",
    [
        "config.py",
        "POLYPHONIC_CHARS.txt",
        "MONOPHONIC_CHARS.txt",
        "bopomofo_to_pinyin_wo_tune_dict.json",
    ],
)
def test_a_file_that_is_missing_or_broken_is_one_line(tmp_path: Path, name: str) -> None:
    folder = lay_out(tmp_path / "g2pw")
    given = files(folder)
    (folder / name).write_bytes(b"\xff (")
    for wrong in (given, {key: path for key, path in given.items() if key != name}):
        with pytest.raises(ArtifactError, match=name) as caught:
            read_tables(wrong)
        assert len(str(caught.value).splitlines()) == 1
    (folder / name).write_text("(", "utf-8")
    with pytest.raises(ArtifactError, match=name):
        read_tables(given)


class OfTwoLabels:
    def run(self, inputs: object) -> list[np.ndarray]:
        return [np.ones((1, 2), np.float32)]


def test_a_graph_of_other_labels_is_refused(tmp_path: Path) -> None:
    tables = read_tables(files(lay_out(tmp_path / "g2pw")))
    chooser = Polyphones(tables, VOCABULARY, OfTwoLabels)
    with pytest.raises(ArtifactError, match=r"g2pW\.onnx: it answers \[1, 2\] for \[1, 6\]"):
        chooser.readings("银行")


def test_a_bundle_holds_the_files_that_are_read() -> None:
    assert set(manifest.G2PW_FILES) == {GRAPH, CONFIG_FILE, POLYPHONIC, MONOPHONIC, SPELLING}
    assert manifest.G2PW_MORE == WORDS


def test_importing_loads_neither_numpy_nor_onnxruntime() -> None:
    script = "import sys, runtime.text.zh.polyphones; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not {"numpy", "onnxruntime", "opencc"} & set(done.stdout.split())
