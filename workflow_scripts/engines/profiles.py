"""Which lengths an engine is built for: contract and capacity of the KV cache to min, opt, max.

An engine runs lengths between min and max and is fastest at opt. The decoder has two profiles, one
row for the steps and many for a prefill, so that its weights stand once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from runtime.contract import DEVICE_GRAPHS, DYNAMIC, GRAPHS, Tensor
from runtime.errors import GraphError

Dims = tuple[int, ...]
Spans = dict[str, "Span"]
SLOWEST_SPEED = 0.5  # frames of an utterance at most: twice its tokens, over the speed
CONTRACTS = {**GRAPHS, **DEVICE_GRAPHS}
DECODERS = ("t2s_decoder", "t2s_loop")
SHORTEST_PROMPT = 0  # prompt-free mode


@dataclass(frozen=True)
class Span:
    """Lengths that a letter of the contract may take."""

    min: int
    opt: int
    max: int


@dataclass(frozen=True)
class Shapes:
    """Dims of one input at the three lengths."""

    min: Dims
    opt: Dims
    max: Dims


@dataclass(frozen=True)
class Profile:
    """Shapes of every input with dynamic dims.

    Attributes:
        name: what it is for, `any`, `step` or `prefill`.
        inputs: shapes by the input's name; static inputs are left out.
    """

    name: str
    inputs: Mapping[str, Shapes]


def profiles(graph: str, inputs: Mapping[str, Dims], max_len: int) -> tuple[Profile, ...]:
    """The profiles of a graph.

    Args:
        graph: its name in the contract.
        inputs: dims of every input as the graph declares them, -1 where they are dynamic.
        max_len: rows of the KV cache.

    Returns:
        Two for a decoder, one for a graph with dynamic dims, none for any other.

    Raises:
        GraphError: an input is not in the contract, or dynamic where the contract is not.
    """
    layers = sum(name.startswith("past_keys.") for name in inputs)
    tensors = {tensor.name: tensor for tensor in CONTRACTS[graph].single().expanded(layers).inputs}
    if odd := sorted(inputs.keys() - tensors.keys()):
        raise GraphError(f"{graph}: input '{odd[0]}' is not in the contract; export again")
    found = []
    for name, spans in spans_of(graph, max_len).items():
        shapes = {
            given: _shapes(graph, tensors[given], dims, spans)
            for given, dims in inputs.items()
            if -1 in dims
        }
        if shapes:
            found.append(Profile(name, shapes))
    return tuple(found)


def spans_of(graph: str, max_len: int) -> dict[str, Spans]:
    """Spans of the contract's letters by profile.

    Args:
        graph: its name in the contract.
        max_len: rows of the KV cache, which phones, prompt and new tokens share.
    """
    if graph in DECODERS:
        return {
            "step": {"Q": Span(1, 1, 1)},
            "prefill": {"Q": _upto(max_len, 210)},
        }
    spans = _spans(max_len) | MEL_SPANS.get(graph, {})
    if graph == "features":  # its frames are those of the mel, twice as many
        spans["N"] = _upto(2 * spans["N"].max, 800)
    return {"any": spans}


def _spans(max_len: int) -> Spans:
    """References of 3 to 10 s and utterances that fit into the cache."""
    frames = int(2 * max_len / SLOWEST_SPEED)  # at the rate of the encoder
    return {
        "S": Span(400, 85_000, 176_000),  # 16 kHz, with the silence that is put behind
        "F": Span(1, 265, 550),  # 50 Hz
        "R": Span(1, 250, 550),  # 50 Hz
        "M": Span(1, 500, 1_100),  # 100 Hz
        "U": Span(1, 42, 510),  # characters that RoBERTa has positions for
        "X": _upto(max_len, 60),
        "P": _upto(max_len, 150, least=SHORTEST_PROMPT),
        "T": _upto(max_len, 200),
        "N": _upto(frames, 400),
    }


def _mel(usual: int, most: int) -> dict[str, Span]:
    return {"N": Span(1, usual, most)}


# N counts mel frames there: runs of the sampler are padded to 1000 at most, and a vocoder runs in
# windows, or gets a run with its context
MEL_SPANS: dict[str, dict[str, Span]] = {
    "cfm_condition": _mel(875, 1000),
    "cfm_step": _mel(875, 1000),
    "bigvgan": _mel(421, 1100),
    "vocoder_v4": _mel(133, 1100),
}


def _upto(most: int, usual: int, least: int = 1) -> Span:
    return Span(least, min(usual, most), most)


def _shapes(graph: str, tensor: Tensor, dims: Dims, spans: Spans) -> Shapes:
    """Static dims of the graph, and dynamic ones of the spans."""
    if len(dims) != len(tensor.dims):
        raise GraphError(f"{graph}: '{tensor.name}' has {len(dims)} dims; export again")
    at: dict[str, list[int]] = {"min": [], "opt": [], "max": []}
    for dim, wanted in zip(dims, tensor.dims, strict=True):
        if dim == -1 and not _is_dynamic(wanted, spans):
            raise GraphError(
                f"{graph}: '{tensor.name}' is dynamic in {wanted}; fix it before the build"
            )
        for end, values in at.items():
            values.append(dim if dim != -1 else _length(f"{wanted}", spans, end))
    return Shapes(*(tuple(values) for values in at.values()))


def _is_dynamic(dim: int | str, spans: Spans) -> bool:
    letters = set(f"{dim}") & DYNAMIC
    return bool(letters) and letters <= spans.keys()


def _length(dim: str, spans: Spans, end: str) -> int:
    """A sum of letters and numbers, at one end of the spans."""
    return sum(
        int(part) if part.isdecimal() else int(getattr(spans[part], end)) for part in dim.split("+")
    )
