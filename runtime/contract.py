"""What goes into every graph and what comes out: names, dims and dtypes, written once.

Exporter, precision variants, proof, engine builder and loader all read this table. A dim is a
letter of `runtime.dims` or a number. Letters in DYNAMIC change from call to call and must be
symbolic in a graph; every other letter is a size of the voice and must be a number in the graph.

    python -m runtime.contract --json

prints it for programs in other languages; docs/native.md says how the graphs are used.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from runtime.cli import Parser, option, run
from runtime.dims import DIMS

STAGES = ("text", "reference", "t2s", "acoustic")  # in the order of speech
VITS, CFM = frozenset({"vits"}), frozenset({"cfm"})
MELS, ENCODER_FRAMES_PER_TOKEN = 100, 2  # bands; frames of the encoder that reads tokens
OFFERED_STEPS = (4, 8, 16, 32)  # of the sampler of `cfm`; the step graph has a table of them
STEP_TABLES = "t2s_tables.npz"  # beside the T2S graphs: rows that a step adds up to its input
DYNAMIC = frozenset("BXPTQKCNSRFMUZ")
GROWING = frozenset("XPTQN")  # those of one utterance, which the KV cache's capacity bounds
HALVES = ("float16", "bfloat16")  # arithmetic of a device
PAST, PRESENT = "past_", "present_"  # a cache as it is taken, and as it is left in the same place
BLOCK_TOKENS = 16  # that a decoder on a device makes before the host looks at them


@dataclass(frozen=True)
class Tensor:
    """One input or output.

    Attributes:
        name: as in the graph; `{layer}` stands for 0 .. L-1.
        dtype: numpy's name of the element type.
        dims: numbers, letters, or sums and products of them ("X+P", "640*N").
        reduced: other element types that a variant may give it.
    """

    name: str
    dtype: str
    dims: tuple[int | str, ...]
    reduced: tuple[str, ...] = ()

    @property
    def per_layer(self) -> bool:
        """Whether this stands for one tensor in each layer."""
        return "{layer}" in self.name

    @property
    def dynamic(self) -> tuple[bool, ...]:
        """Per dim, whether it changes from call to call."""
        return tuple(isinstance(dim, str) and bool(DYNAMIC & set(dim)) for dim in self.dims)


@dataclass(frozen=True)
class Graph:
    """One ONNX file.

    Attributes:
        shared: whether it serves all voices of a build (a base) or belongs to one voice.
        stage: what it works on, a name of STAGES.
        inputs: every input; each must be used by the graph.
        outputs: every output.
        optional: names of inputs that only some families have.
        kinds: kinds of acoustic models that have it; empty for all.
        few_lengths: whether it meets few lengths: its inputs are padded, or it runs in windows.
    """

    shared: bool
    stage: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    optional: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    few_lengths: bool = False

    @property
    def grows(self) -> bool:
        """Whether an input is as long as the text or the speech, which max_len bounds."""
        dims = [dim for tensor in self.inputs for dim in tensor.dims if isinstance(dim, str)]
        return any(GROWING & set(dim) for dim in dims)

    def expanded(self, layers: int) -> "Graph":
        """The same graph with `{layer}` written out for `layers` layers."""
        return replace(
            self, inputs=_expand(self.inputs, layers), outputs=_expand(self.outputs, layers)
        )

    def single(self) -> "Graph":
        """The same graph for one sequence at a time: B is 1."""
        return replace(self, inputs=_single(self.inputs), outputs=_single(self.outputs))

    def without(self, absent: frozenset[str]) -> "Graph":
        """The same graph less optional inputs that a family does not have."""
        return replace(
            self,
            inputs=tuple(tensor for tensor in self.inputs if tensor.name not in absent),
            optional=self.optional - absent,
        )


def _single(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    ones: dict[int | str, int | str] = {"B": 1, "B*Q": "Q"}
    return tuple(
        replace(tensor, dims=tuple(ones.get(dim, dim) for dim in tensor.dims)) for tensor in tensors
    )


def _expand(tensors: tuple[Tensor, ...], layers: int) -> tuple[Tensor, ...]:
    """Repeat each run of per-layer tensors layer by layer, in their order."""
    once = [tensor for tensor in tensors if not tensor.per_layer]
    repeated = [tensor for tensor in tensors if tensor.per_layer]
    return tuple(once) + tuple(
        replace(tensor, name=tensor.name.format(layer=layer))
        for layer in range(layers)
        for tensor in repeated
    )


def _f32(name: str, *dims: int | str) -> Tensor:
    return Tensor(name, "float32", dims)


def _cache(name: str, *reduced: str) -> Tensor:
    """Keys or values of a layer; whoever feeds it reads the dtype from the graph."""
    return Tensor(name, "float32", ("B", "H", "C", "A"), reduced)


def _i64(name: str, *dims: int | str) -> Tensor:
    return Tensor(name, "int64", dims)


GRAPHS: dict[str, Graph] = {
    "hubert": Graph(
        shared=True,
        stage="reference",
        inputs=(_f32("audio", 1, "S"),),
        outputs=(_f32("features", 1, "W", "F"),),
    ),
    "roberta": Graph(
        shared=True,
        stage="text",
        inputs=(_i64("input_ids", 1, "U+2"),),
        outputs=(_f32("features", "U", "W"),),
    ),
    "speaker": Graph(
        shared=True,
        stage="reference",
        inputs=(_f32("filter_bank", 1, "M", 80),),
        outputs=(_f32("embedding", 1, "E"),),
    ),
    "quantizer": Graph(
        shared=False,
        stage="reference",
        inputs=(_f32("features", 1, "W", "F"),),
        outputs=(_i64("tokens", 1, "P"),),
    ),
    "style": Graph(
        shared=False,
        stage="reference",
        kinds=VITS | CFM,
        inputs=(_f32("spectrogram", 1, "Y", "R"), _f32("speaker_embedding", 1, "E")),
        outputs=(_f32("style", 1, "G", 1),),
        optional=frozenset({"speaker_embedding"}),
    ),
    "t2s_embed": Graph(
        shared=False,
        stage="t2s",
        inputs=(
            _i64("phones", 1, "X"),
            _f32("text_features", 1, 1024, "X"),
            _i64("prompts", 1, "P"),
        ),
        outputs=(_f32("rows", "X+P", "D"), _f32("bias", 1, 1, "X+P", "X+P")),
    ),
    "t2s_decoder": Graph(
        shared=False,
        stage="t2s",
        inputs=(
            # B sequences, Q rows of each; a step of several has one bias, as wide as the longest
            _f32("rows", "B*Q", "D"),
            Tensor("live_rows", "int32", ("B",)),
            _f32("bias", 1, 1, "Q", "K"),
            _cache("past_keys.{layer}", "int8"),
            _cache("past_values.{layer}", "int8"),
        ),
        outputs=(
            _f32("logits", "B", "V"),
            _cache("present_keys.{layer}", "int8"),
            _cache("present_values.{layer}", "int8"),
        ),
    ),
    "prior": Graph(
        shared=False,
        stage="acoustic",
        kinds=VITS,
        inputs=(
            _i64("tokens", 1, "T"),
            _i64("phones", 1, "X"),
            _f32("style", 1, "G", 1),
            _f32("noise", 1, "I", "N"),
            _f32("noise_scale", 1),
            _i64("frame_index", "N"),
            _f32("frame_fraction", "N"),
        ),
        outputs=(_f32("latent", 1, "I", "N"),),
    ),
    "vocoder": Graph(
        shared=False,
        stage="acoustic",
        kinds=VITS,
        few_lengths=True,
        inputs=(_f32("latent", 1, "I", "N"), _f32("style", 1, "G", 1)),
        outputs=(_f32("audio", 1, "640*N"),),
    ),
    "features": Graph(
        shared=False,
        stage="acoustic",
        kinds=CFM,
        inputs=(
            _i64("tokens", 1, "T"),
            _i64("phones", 1, "X"),
            _f32("style", 1, "G", 1),
            _i64("frame_index", "N"),
            _f32("frame_fraction", "N"),
            _f32("frame_mask", 1, 1, "N"),
        ),
        outputs=(_f32("features", 1, "J", "N"),),
    ),
    # what the sampler's steps of one chunk share; padded frames are masked
    "cfm_condition": Graph(
        shared=False,
        stage="acoustic",
        kinds=CFM,
        few_lengths=True,
        inputs=(
            _f32("features", 1, "J", "N"),
            _f32("prompt", 1, MELS, "N"),
            _f32("frame_mask", 1, 1, "N"),
        ),
        outputs=(_f32("condition", 1, "N", "O"),),
    ),
    # one Euler step; the row says which step of how many it is
    "cfm_step": Graph(
        shared=False,
        stage="acoustic",
        kinds=CFM,
        few_lengths=True,
        inputs=(
            _f32("mel", 1, MELS, "N"),
            _f32("condition", 1, "N", "O"),
            _f32("frame_mask", 1, 1, "N"),
            _f32("new_mask", 1, 1, "N"),
            _i64("row", 1),
        ),
        outputs=(_f32("next_mel", 1, MELS, "N"),),
    ),
    "bigvgan": Graph(
        shared=True,
        stage="acoustic",
        kinds=CFM,
        few_lengths=True,
        inputs=(_f32("mel", 1, MELS, "N"),),
        outputs=(_f32("audio", 1, "256*N"),),
    ),
    "vocoder_v4": Graph(
        shared=True,
        stage="acoustic",
        kinds=CFM,
        few_lengths=True,
        inputs=(_f32("mel", 1, MELS, "N"),),
        outputs=(_f32("audio", 1, "480*N"),),
    ),
}


def graphs_of(kind: str, *stages: str) -> tuple[str, ...]:
    """Graphs that belong to each voice of a kind of acoustic model, in the contract's order.

    Args:
        kind: a name in `runtime.acoustic.kind.KINDS`.
        stages: of these alone; all where none is given.
    """
    return tuple(
        name
        for name, graph in GRAPHS.items()
        if not graph.shared
        and kind in (graph.kinds or {kind})
        and graph.stage in (stages or STAGES)
    )


# graphs that no bundle holds: they are made of a bundle's for one device
DEVICE_GRAPHS: dict[str, Graph] = {
    # the decoder with embedding before it and sampler behind it: what a step leaves is what the
    # next one takes, so that the host has nothing to do between two steps. A step with a token of
    # -1 is a prefill: its rows are given. State: token, its position, cached positions, number of
    # the step
    "t2s_loop": Graph(
        shared=False,
        stage="t2s",
        inputs=(
            _f32("rows", "Q", "D"),
            _f32("bias", 1, 1, "Q", "C"),
            _i64("state", 4),
            _f32("used", 1, "V"),
            _i64("history", BLOCK_TOKENS),
            _f32("noise", BLOCK_TOKENS, "V"),
            _f32("temperature", 1),
            _f32("top_p", 1),
            _f32("penalty", 1),
            _i64("top_k", 1),
            _cache("past_keys.{layer}", *HALVES),
            _cache("past_values.{layer}", *HALVES),
        ),
        outputs=(
            _i64("next_state", 4),
            _f32("next_used", 1, "V"),
            _i64("next_history", BLOCK_TOKENS),
            _f32("logits", 1, "V"),
            _cache("present_keys.{layer}", *HALVES),
            _cache("present_values.{layer}", *HALVES),
        ),
    ).single(),
}
# what a step leaves, and where the next one takes it
CARRIED: dict[str, str] = {"next_state": "state", "next_used": "used", "next_history": "history"}


def in_json() -> dict[str, Any]:
    """The whole contract as plain values, for `json.dump`."""
    return {
        "dims": DIMS,
        "dynamic": sorted(DYNAMIC & DIMS.keys()),
        "step_tables": STEP_TABLES,
        "graphs": {name: _graph_in_json(graph, {}) for name, graph in GRAPHS.items()},
        "device_graphs": {
            name: _graph_in_json(graph, CARRIED) for name, graph in DEVICE_GRAPHS.items()
        },
    }


def _graph_in_json(graph: Graph, carried: Mapping[str, str]) -> dict[str, Any]:
    places = {
        tensor.name: PAST + tensor.name.removeprefix(PRESENT)
        for tensor in graph.outputs
        if tensor.name.startswith(PRESENT)
    }
    return {
        "shared": graph.shared,
        "stage": graph.stage,
        "kinds": sorted(graph.kinds),
        "inputs": [
            _tensor_in_json(tensor) | {"optional": tensor.name in graph.optional}
            for tensor in graph.inputs
        ],
        "outputs": [_tensor_in_json(tensor) for tensor in graph.outputs],
        "in_place": {**places, **carried},
    }


def _tensor_in_json(tensor: Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "dtypes": [tensor.dtype, *tensor.reduced],
        "dims": list(tensor.dims),
        "per_layer": tensor.per_layer,
    }


def _in_words() -> str:
    """A line for each tensor, for people."""
    lines = []
    for name, graph in GRAPHS.items():
        lines.append(name)
        for arrow, tensors in (("<-", graph.inputs), ("->", graph.outputs)):
            lines += [
                f"  {arrow} {tensor.name} {'/'.join((tensor.dtype, *tensor.reduced))}"
                f" [{', '.join(map(str, tensor.dims))}]"
                for tensor in tensors
            ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    """Print the contract."""
    parser = Parser(command="contract", description="Print what goes into every graph and out.")
    option(parser, "--json", action="store_true", help="as JSON, for programs")
    args = parser.parse_args(argv)
    content = json.dumps(in_json(), ensure_ascii=False, indent=1) if args.json else _in_words()
    sys.stdout.write(f"{content}\n")


if __name__ == "__main__":
    run(main)
