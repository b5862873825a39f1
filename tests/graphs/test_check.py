"""Every check of a graph against the contract, proved able to fail."""

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from runtime.errors import GraphError
from tests.goldens import Case, t2s_cases
from tests.t2s_models import t2s_graphs
from workflow_scripts.graphs.check import RANDOM, check_graph, check_model

FLOAT, INT32 = TensorProto.FLOAT, TensorProto.INT32
Harm = Callable[[onnx.GraphProto], object]


def vocoder() -> onnx.ModelProto:
    """A graph that keeps the vocoder's contract; what it computes does not matter."""
    nodes = [
        helper.make_node("Flatten", ["latent"], ["flat"], "flatten"),
        helper.make_node("Add", ["flat", "style"], ["audio"], "add"),
    ]
    inputs = [value("latent", 1, 192, "N"), value("style", 1, 512, 1)]
    return helper.make_model(
        helper.make_graph(nodes, "vocoder", inputs, [value("audio", 1, "640*N")])
    )


def value(name: str, *dims: int | str | None, dtype: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, dims)


def replaced(place: int, *dims: int | str | None, dtype: int = FLOAT) -> Harm:
    """An input declared otherwise."""

    def harm(graph: onnx.GraphProto) -> None:
        graph.input[place].CopyFrom(value(graph.input[place].name, *dims, dtype=dtype))

    return harm


def with_random_branch(graph: onnx.GraphProto) -> None:
    branch = helper.make_graph([helper.make_node("RandomNormal", [], ["noise"])], "then", [], [])
    graph.node.append(helper.make_node("If", ["flat"], ["rest"], "if", then_branch=branch))


def without_style(graph: onnx.GraphProto) -> None:
    graph.node[1].input[1] = "flat"


def with_other_latent(graph: onnx.GraphProto) -> None:
    graph.output[0].CopyFrom(value("audio", 1, 640))


def test_a_graph_that_keeps_the_contract_passes() -> None:
    check_model(vocoder(), "vocoder", "vocoder.onnx")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda g: g.input.pop(), r"input 'style' is missing.*wants float32 \[1, G, 1\]"),
        (lambda g: g.output.pop(), r"output 'audio' is missing.*wants float32 \[1, 640\*N\]"),
        (lambda g: g.input.append(value("speed", 1)), r"input 'speed' is not in the contract"),
        (lambda g: g.output.append(value("mean", 1)), r"output 'mean' is not in the contract"),
        (replaced(1, 1, 512, 1, dtype=INT32), r"'style' is int32, the contract wants float32"),
        (replaced(0, 1, 192), r"'latent' is \[1, 192\], the contract wants \[1, I, N\]"),
        (replaced(0, 1, 192, 20), r"'latent' is \[1, 192, 20\].*N must be symbolic"),
        (replaced(0, 1, 192, "T"), r"'latent' is \[1, 192, T\].*N must be symbolic"),
        (replaced(0, 1, "I", "N"), r"'latent' is \[1, I, N\].*I must be a number"),
        (replaced(0, 1, None, "N"), r"'latent' is \[1, \?, N\].*I must be a number"),
        (replaced(0, 2, 192, "N"), r"'latent' is \[2, 192, N\].*\[1, I, N\], and that is 1 here"),
        (replaced(1, 1, 0, 1), r"'style' is \[1, 0, 1\].*G must be a number"),
        (with_other_latent, r"'audio' is \[1, 640\].*640\*N must be symbolic"),
        (without_style, r"input 'style' is used by no node; the export froze it"),
        (with_random_branch, r"node '' is a RandomNormal; the contract wants noise as an input"),
    ],
)
def test_a_graph_that_breaks_the_contract_is_refused(harm: Harm, message: str) -> None:
    model = vocoder()
    harm(model.graph)
    with pytest.raises(GraphError, match=rf"^vocoder\.onnx: .*{message}"):
        check_model(model, "vocoder", "vocoder.onnx")


@pytest.mark.parametrize("operator", sorted(RANDOM))
def test_each_random_operator_is_refused(operator: str) -> None:
    model = vocoder()
    model.graph.node.append(helper.make_node(operator, ["flat"], ["noise"], "draw"))
    with pytest.raises(GraphError, match=rf"node 'draw' is a {operator}"):
        check_model(model, "vocoder", "vocoder.onnx")


def test_one_letter_is_one_number_throughout() -> None:
    nodes = [helper.make_node("Identity", ["rows"], ["logits"])]
    model = helper.make_model(helper.make_graph(nodes, "style", [], []))
    model.graph.input.extend([value("spectrogram", 1, 704, "R"), value("speaker_embedding", 1, 8)])
    model.graph.output.append(value("style", 1, 64, 1))
    model.graph.node[0].input[:] = ["spectrogram", "speaker_embedding"]
    check_model(model, "style", "style.onnx")
    caches = [value(f"past_{kind}.0", 1, 4, "C", 8) for kind in ("keys", "values")]
    rows = [value("rows", "Q", 32), value("bias", 1, 1, "Q", "K")]
    rows.append(value("live_rows", 1, dtype=INT32))
    present = [value(f"present_{kind}.0", 1, 4, "C", 9) for kind in ("keys", "values")]
    outputs = [value("logits", 1, 1025), *present]
    graph = helper.make_graph(nodes, "t2s_decoder", rows + caches, outputs)
    with pytest.raises(
        GraphError, match=r"'present_keys\.0' is \[1, 4, C, 9\].*A\], and that is 8"
    ):
        check_model(helper.make_model(graph), "t2s_decoder", "t2s_decoder.onnx")


def test_an_unknown_name_and_a_file_that_is_no_graph_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"decoder: no such graph in the contract; it has hubert"):
        check_model(vocoder(), "decoder", "vocoder.onnx")
    with pytest.raises(GraphError, match=r"vocoder\.onnx: no such graph"):
        check_graph(tmp_path / "vocoder.onnx", "vocoder")
    for content in (b"no graph at all", b""):
        (tmp_path / "vocoder.onnx").write_bytes(content)
        with pytest.raises(GraphError, match=r"vocoder\.onnx: (not an ONNX file|holds no graph)"):
            check_graph(tmp_path / "vocoder.onnx", "vocoder")


@pytest.mark.golden
@pytest.mark.parametrize("case", t2s_cases("single")[:1], ids=str)
def test_graphs_of_t2s_keep_the_contract(case: Case) -> None:
    for name in ("t2s_embed", "t2s_decoder"):
        check_graph(t2s_graphs(case.model) / f"{name}.onnx", name)
