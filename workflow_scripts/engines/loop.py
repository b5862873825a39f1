"""The decoder with the token's embedding before it and the sampler behind it, for a device.

What a step leaves is what the next one takes, noise is an input, and nothing is random: the host
has to look only at blocks of tokens. Every answer is written after whatever reads its input, so an
input and what replaces it may share a buffer.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from runtime.cli import option, run
from runtime.contract import BLOCK_TOKENS, DEVICE_GRAPHS, Graph, Tensor
from runtime.manifest import digest
from runtime.t2s.step_tables import END_HELD_BACK_STEPS, StepTables
from workflow_scripts.engines.arithmetic import ARITHMETICS, compute_in
from workflow_scripts.engines.decoder import engine_decoder
from workflow_scripts.files import atomic, write_json
from workflow_scripts.graphs.attention import ATTENTIONS, FIRST_NEW_ROW
from workflow_scripts.graphs.builder import GraphBuilder

NAME = "t2s_loop"
OWN = "loop/"  # before every name that is made here
LOWEST = np.finfo(np.float32).min
EVERYWHERE = "scatter_elements"  # operators that ONNX Runtime has had on GPUs for long


@dataclass(frozen=True)
class _Sizes:
    """Letters of the contract."""

    hidden: int
    vocabulary: int
    capacity: int
    heads: int
    head_width: int
    layers: int

    def letters(self) -> dict[str, int]:
        return {
            "D": self.hidden,
            "V": self.vocabulary,
            "C": self.capacity,
            "H": self.heads,
            "A": self.head_width,
        }


def loop_graph(
    decoder: onnx.ModelProto,
    tables: Mapping[str, NDArray[Any]],
    max_len: int,
    attention: str,
    arithmetic: str = "fp32",
) -> onnx.ModelProto:
    """Rewrite a decoder as `t2s_loop` of the contract.

    Args:
        decoder: `t2s_decoder` of the contract; not changed.
        tables: what `t2s_tables.npz` of the voice holds.
        max_len: rows of the cache.
        attention: key of ATTENTIONS for the attention.
        arithmetic: key of ARITHMETICS for the decoder and its cache; the sampler's is fp32.

    Raises:
        GraphError: the decoder's attention is not as our export writes it.
    """
    model = engine_decoder(decoder, max_len, attention, given_row=True)
    compute_in(model.graph, arithmetic)
    rows = StepTables.from_arrays(dict(tables), max_len)
    sizes = _sizes(model.graph, rows, max_len)
    contract = _with_caches(ARITHMETICS[arithmetic].dtype.name).expanded(sizes.layers)
    hand = GraphBuilder(NAME, contract, sizes.letters(), prefix=OWN)
    taken = _before(hand, rows, sizes)
    before = len(hand.parts()[0])
    _after(hand, sizes)
    nodes, weights = hand.parts()
    inputs, outputs = hand.borders()
    graph = helper.make_graph(
        [*nodes[:before], *_renamed(model.graph.node, taken), *nodes[before:]],
        NAME,
        inputs,
        outputs,
        [*model.graph.initializer, *weights],
    )
    opsets = model.opset_import
    made = helper.make_model(
        graph, opset_imports=opsets, producer_name="sovits-foundry", ir_version=model.ir_version
    )
    onnx.checker.check_model(made)
    return made


def _sizes(graph: onnx.GraphProto, rows: StepTables, max_len: int) -> _Sizes:
    vocabulary, hidden = rows.audio_embedding.shape
    (cache,) = (value for value in graph.input if value.name == "past_keys.0")
    heads, head_width = (cache.type.tensor_type.shape.dim[axis].dim_value for axis in (1, 3))
    layers = sum(value.name.startswith("past_keys.") for value in graph.input)
    return _Sizes(hidden, vocabulary, max_len, heads, head_width, layers)


def _with_caches(dtype: str) -> Graph:
    """The contract with caches of a dtype."""

    def stored(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(replace(t, dtype=dtype) if t.per_layer else t for t in tensors)

    whole = DEVICE_GRAPHS[NAME]
    return replace(whole, inputs=stored(whole.inputs), outputs=stored(whole.outputs))


def _renamed(nodes: Any, taken: Mapping[str, str]) -> list[onnx.NodeProto]:
    """The decoder's nodes, reading what is computed here in place of its inputs."""
    renamed = []
    for node in nodes:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [taken.get(name, name) for name in node.input]
        renamed.append(copy)
    return renamed


def _before(hand: GraphBuilder, tables: StepTables, sizes: _Sizes) -> dict[str, str]:
    """What the decoder takes: name of its input → name here."""
    token, position, cached, _ = _state(hand)
    own = hand.add(
        "Add",
        [
            hand.add(
                "Gather", [hand.weight("tokens", tables.audio_embedding), _least(hand, token)]
            ),
            hand.add(
                "Gather", [hand.weight("positions", tables.position_rows), _least(hand, position)]
            ),
        ],
    )
    nothing = hand.weight("no_row", np.zeros((1, sizes.hidden), np.float32))
    none, one = hand.integers(0), hand.integers(1)
    steps = hand.add("GreaterOrEqual", [token, none])
    own = hand.add("Where", [steps, own, nothing])
    first = hand.add("Where", [steps, hand.add("Sub", [cached, one]), none])
    columns = hand.weight("columns", np.arange(sizes.capacity))
    values = [hand.weight(f"float.{n}", np.array(n, np.float32)) for n in (0, LOWEST)]
    mask = hand.add("Where", [hand.add("Less", [columns, cached]), *values])
    return {
        "rows": hand.add("Add", ["rows", own]),
        FIRST_NEW_ROW: first,
        "bias": hand.add("Min", ["bias", mask]),
    }


def _state(hand: GraphBuilder) -> list[str]:
    """Token, position, cached positions and step, int64 [1] each."""
    names = [f"{OWN}{name}" for name in ("token", "position", "cached", "step")]
    return hand.add_many("Split", ["state"], names, axis=0, num_outputs=len(names))


def _least(hand: GraphBuilder, number: str) -> str:
    """A number of a table's row; a prefill has none, and takes the first for nothing."""
    return hand.add("Max", [number, hand.integers(0)])


def _after(hand: GraphBuilder, sizes: _Sizes) -> None:
    """From the logits to what the next step takes."""
    token, position, cached, step = (f"{OWN}{n}" for n in ("token", "position", "cached", "step"))
    block = hand.integers(BLOCK_TOKENS)
    whole = hand.add("Mul", [hand.add("Div", [step, block]), block])
    place = hand.add("Sub", [step, whole])
    shares, order = _shares(hand, _penalised(hand, step, sizes), sizes)
    noise = hand.add(
        "GatherElements", [hand.add("Gather", ["noise", place], axis=0), order], axis=1
    )
    best = hand.add("ArgMax", [hand.add("Div", [shares, noise])], axis=1, keepdims=1)
    drawn = hand.add("GatherElements", [order, best], axis=1)
    leads = hand.add("Gather", [order, hand.integers(0)], axis=1)
    end = hand.integers(sizes.vocabulary - 1)
    over = hand.add("Or", [hand.add("Equal", [drawn, end]), hand.add("Equal", [leads, end])])
    token = hand.add(
        "Reshape", [hand.add("Where", [over, end, drawn]), hand.integers(1)], to=f"{OWN}chosen"
    )
    words = hand.weight("vocabulary", np.arange(sizes.vocabulary)[None])
    now = hand.cast(hand.add("Equal", [words, token]), "float32")
    hand.add("Max", ["used", now], to="next_used")
    places = hand.weight("places", np.arange(BLOCK_TOKENS))
    hand.add("Where", [hand.add("Equal", [places, place]), token, "history"], to="next_history")
    one = hand.integers(1)
    moved = [hand.add("Add", [number, one]) for number in (position, cached, step)]
    hand.add("Concat", [token, *moved], to="next_state", axis=0)


def _penalised(hand: GraphBuilder, step: str, sizes: _Sizes) -> str:
    """Logits after the penalty, the end token held back at first; float32 [1, V]."""
    lowest = hand.weight(f"float.{LOWEST}", np.array(LOWEST, np.float32))
    early = hand.add("Less", [step, hand.integers(END_HELD_BACK_STEPS)])
    is_end = hand.weight("is_end", np.arange(sizes.vocabulary)[None] == sizes.vocabulary - 1)
    logits = hand.add("Where", [hand.add("And", [early, is_end]), lowest, "logits"])
    none, half = (hand.weight(f"float.{n}", np.array(n, np.float32)) for n in (0, 0.5))
    scaled = hand.add(
        "Where",
        [
            hand.add("Less", [logits, none]),
            hand.add("Mul", [logits, "penalty"]),
            hand.add("Div", [logits, "penalty"]),
        ],
    )
    return hand.add("Where", [hand.add("Greater", ["used", half]), scaled, logits])


def _shares(hand: GraphBuilder, logits: str, sizes: _Sizes) -> tuple[str, str]:
    """Probabilities from the best down, float32 [1, V], and the tokens that they are of."""
    lowest = hand.weight(f"float.{LOWEST}", np.array(LOWEST, np.float32))
    count = hand.integers(sizes.vocabulary)
    best, order = hand.add_many("TopK", [logits, count], ["", ""], axis=1, largest=1, sorted=1)
    axis = hand.weight("axis", np.array(1))
    summed = hand.add("CumSum", [hand.add("Softmax", [best], axis=1), axis])
    follows = hand.weight("follows", np.arange(sizes.vocabulary)[None] > 0)  # the best stays
    beyond = hand.add("And", [hand.add("Greater", [summed, "top_p"]), follows])
    warm = hand.add("Div", [hand.add("Where", [beyond, lowest, best]), "temperature"])
    last = hand.add("Gather", [warm, hand.add("Sub", ["top_k", hand.integers(1)])], axis=1)
    kept = hand.add("Where", [hand.add("Less", [warm, last]), lowest, warm])
    return hand.add("Softmax", [kept], axis=1), order


def main(argv: list[str] | None = None) -> None:
    """Write the graph, for ONNX Runtime on a GPU; engines of it are built by `build`."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("decoder", type=Path, help="t2s_decoder.onnx")
    option(parser, "--tables", type=Path, required=True, metavar="NPZ", help="t2s_tables.npz")
    option(parser, "--max-len", type=int, required=True, help="rows of the KV cache")
    option(
        parser,
        "--attention",
        formerly="--form",
        choices=ATTENTIONS,
        default=EVERYWHERE,
        help="attention implementation (default: %(default)s)",
    )
    option(parser, "--arithmetic", choices=ARITHMETICS, default="fp32", help="of the decoder")
    option(parser, "--output", type=Path, required=True, metavar="ONNX", help="t2s_loop.onnx")
    args = parser.parse_args(argv)
    with np.load(args.tables, allow_pickle=False) as tables:
        rows, decoder = dict(tables), onnx.load(args.decoder)
    made = loop_graph(decoder, rows, args.max_len, args.attention, args.arithmetic)
    sidecar = args.output.with_name(f"{args.output.name}.json")
    with atomic(args.output, sidecar) as (graph, record):
        onnx.save(made, graph)
        facts = {"onnx_sha256": digest(args.decoder), "tables_sha256": digest(args.tables)}
        facts |= {
            "max_len": args.max_len,
            "attention": args.attention,
            "arithmetic": args.arithmetic,
        }
        facts |= {"sha256": digest(graph)}
        write_json(record, facts)


if __name__ == "__main__":
    run(main)
