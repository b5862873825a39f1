"""What exporting writes, and what it refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from runtime.contract import GRAPHS
from runtime.errors import CheckpointError
from tests.goldens import Case, base_cases, flow_matching_cases, sovits_models, speaker_cases
from tests.graphs.exported import exported
from tests.tiny_voice import source
from workflow_scripts.graphs import answers
from workflow_scripts.graphs.check import check_graph
from workflow_scripts.graphs.export import EXPORTERS, main
from workflow_scripts.graphs.trace import trace
from workflow_scripts.graphs.vocabulary import read_vocabulary

SMALL = {
    "hubert": base_cases("hubert")[:1],
    "roberta": base_cases("bert")[:1],
    "speaker": speaker_cases()[-1:],
    "sovits": [*sovits_models()[-1:], *flow_matching_cases("encp")[-1:]],
}


def test_every_kind_names_graphs_of_the_contract() -> None:
    of_bases = {name for name, graph in GRAPHS.items() if graph.shared}
    kinds = set(EXPORTERS) - {"bigvgan", "vocoder_v4"}  # vocoders that are bases have one each
    named = [graph for kind in kinds for graph in EXPORTERS[kind].graphs(source(kind))]
    assert len(named) == len(set(named))
    assert set(named) <= set(GRAPHS)
    assert of_bases == of_bases & set(EXPORTERS)
    assert all(EXPORTERS[name].graphs(Path()) == (name,) for name in of_bases)


@pytest.mark.golden
@pytest.mark.parametrize(
    ("kind", "case"), [(kind, case) for kind, found in SMALL.items() for case in found], ids=str
)
def test_each_kind_writes_graphs_answers_and_tables(kind: str, case: Case) -> None:
    folder, row = exported(kind, case.model), EXPORTERS[kind]
    for graph in row.graphs(case.model):
        check_graph(folder / f"{graph}.onnx", graph)
        one = next(iter(answers.load(folder / f"{graph}.npz").values()))
        assert set(one.outputs) == {tensor.name for tensor in GRAPHS[graph].outputs}
        assert set(one.inputs) <= {tensor.name for tensor in GRAPHS[graph].inputs}
    for table in row.tables:
        assert (folder / table).exists()


@pytest.mark.golden
@pytest.mark.parametrize("case", SMALL["sovits"], ids=str)
def test_two_exports_record_the_same_answers(case: Case, tmp_path: Path) -> None:
    folders = ["--graphs", f"{tmp_path / 'raw'}", "--answers", f"{tmp_path / 'answers'}"]
    main(["sovits", f"{case.model}", *folders])
    for graph in EXPORTERS["sovits"].graphs(case.model):
        first = answers.load(exported("sovits", case.model) / f"{graph}.npz")
        for label, again in answers.load(tmp_path / "answers" / f"{graph}.npz").items():
            for name, array in again.inputs.items():
                np.testing.assert_array_equal(array, first[label].inputs[name])


@pytest.mark.golden
@pytest.mark.parametrize("case", SMALL["speaker"], ids=str)
def test_a_source_of_another_kind_leaves_nothing_behind(case: Case, tmp_path: Path) -> None:
    broken = tmp_path / "speaker.ckpt"
    folders = ["--graphs", f"{tmp_path / 'raw'}", "--answers", f"{tmp_path / 'answers'}"]
    torch.save({"weight": {"conv1.weight": torch.zeros(1)}}, broken)
    with pytest.raises(CheckpointError, match=r"speaker\.ckpt: holds more than tensors by key"):
        main(["speaker", f"{broken}", *folders])
    with pytest.raises(CheckpointError):
        main(["sovits", f"{case.model}", *folders])
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path != broken]


@pytest.mark.golden
@pytest.mark.parametrize("case", base_cases("bert"), ids=str)
def test_vocabulary_gives_the_reference_s_ids(case: Case) -> None:
    known = read_vocabulary(case.model)
    tokens = ["[CLS]", *case.facts["text"], "[SEP]"]
    ids = [known.get(token, known["[UNK]"]) for token in tokens]
    np.testing.assert_array_equal([ids], case[case.facts["input_ids"]])
    assert json.loads((exported("roberta", case.model) / "vocabulary.json").read_text()) == known


@pytest.mark.golden
@pytest.mark.parametrize("case", base_cases("bert")[:1], ids=str)
def test_vocabulary_is_the_same_from_either_file(case: Case, tmp_path: Path) -> None:
    both = read_vocabulary(case.model)
    shutil.copy(case.model / "vocab.txt", tmp_path)
    assert read_vocabulary(tmp_path) == both
    (tmp_path / "vocab.txt").write_text("a\nb\n", "utf-8")
    with pytest.raises(CheckpointError, match=r"vocab\.txt: \[UNK\] is missing"):
        read_vocabulary(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"model": {}}', "utf-8")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: no vocabulary in it"):
        read_vocabulary(tmp_path)


class Frozen(nn.Module):
    """Bakes the traced length into its graph."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, latent: Tensor, style: Tensor) -> Tensor:
        length = int(latent.shape[2])
        return (self.scale * latent[:, :1] + style[:, :1]).reshape(1, length)


def test_a_module_that_bakes_a_length_in_is_not_exported(tmp_path: Path) -> None:
    inputs = {"N3": (torch.zeros(1, 2, 3), torch.zeros(1, 4, 1))}
    with pytest.raises((torch.jit.TracerWarning, SystemError)):
        trace("vocoder", Frozen(), inputs, (tmp_path / "v.onnx", tmp_path / "v.npz"))
