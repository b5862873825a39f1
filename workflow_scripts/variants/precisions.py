"""The precisions that a graph can be written at. To add one is a function and a row.

The workflow reads this table when it is parsed, so the heavy libraries wait inside the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import GraphError
from workflow_scripts.files import write_json
from workflow_scripts.variants.job import Record, ReductionJob, matches

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Precision:
    """One way to write a graph.

    Attributes:
        convert: model and job -> model and record; the model that it is given may be changed.
        fits: whether the graph of this name can be written at it.
        instead: precision of the graphs in a bundle that do not have it.
        note: a sentence for help texts and docs.
        engines: whether NVIDIA's importer knows its operators.
        on_request: graphs that it fits, and that have it only where `mixed_precision` says so.
        bars: acceptance thresholds where the configuration gives none: metric → worst value.
        because: where those come from.
        arithmetic: what an engine of the T2S decoder computes in, and other engines are judged by;
            key of ARITHMETICS.
    """

    convert: Callable[[onnx.ModelProto, ReductionJob], tuple[onnx.ModelProto, Record]]
    fits: Callable[[str], bool]
    note: str
    bars: Mapping[str, float]
    because: str
    instead: str = "fp32"
    engines: bool = True
    on_request: frozenset[str] = frozenset()
    arithmetic: str = "fp32"

    def usual(self, graph: str) -> bool:
        """Whether the graph of this name has it in a bundle, if nothing else is said."""
        return self.fits(graph) and graph not in self.on_request


def usual_precision(precision: str, graph: str) -> str:
    """The precision that a graph has in a bundle of a precision, if nothing else is said."""
    while not PRECISIONS[precision].usual(graph):
        precision = PRECISIONS[precision].instead
    return precision


def _unchanged(model: onnx.ModelProto, job: ReductionJob) -> tuple[onnx.ModelProto, Record]:
    return model, Record("unchanged")


def _half(model: onnx.ModelProto, job: ReductionJob) -> tuple[onnx.ModelProto, Record]:
    from workflow_scripts.variants.half import to_half

    return to_half(model, job)


def _stored(model: onnx.ModelProto, job: ReductionJob) -> tuple[onnx.ModelProto, Record]:
    from workflow_scripts.variants.stored import stored_half

    return stored_half(model, job)


def _weight_only(
    model: onnx.ModelProto, job: ReductionJob, bits: int
) -> tuple[onnx.ModelProto, Record]:
    from workflow_scripts.variants.weight_only import weight_only

    return weight_only(model, job, bits)


def _weights_and_cache(
    model: onnx.ModelProto, job: ReductionJob, bits: int
) -> tuple[onnx.ModelProto, Record]:
    from workflow_scripts.variants.int8_cache import int8_cache

    model, weights = _weight_only(model, job, bits)
    model, cache = int8_cache(model, job)
    return model, Record(f"{weights.method}; {cache.method}", cache.why, weights.kept)


def _every_graph(graph: str) -> bool:
    return True


def _mostly_matmul(graph: str) -> bool:
    return graph in {"t2s_decoder", "roberta", "hubert"}


def _bearing_8_bits(graph: str) -> bool:
    return _mostly_matmul(graph) or graph == "cfm_step"


def _caching(graph: str) -> bool:
    return graph == "t2s_decoder"


STREAMED = {"seam_error": 5.0e-3, "lost_samples": 0.0}  # half a percent of full scale, inaudible
HALF_SOUND = {"prompt_tokens_token_equality": 0.97, "audio_log_mel_distance": 0.1, **STREAMED}
EXACT_BARS = {
    "relative_rms": 1.0e-4,
    "token_equality": 1.0,
    "top1_agreement": 1.0,
    "audio_snr_db": 90.0,
    "audio_max_abs": 1.0e-4,
    "seam_error": 1.0e-4,
    "lost_samples": 0.0,
}
HALF_BARS = {"top1_agreement": 0.95, "kl": 2.0e-3, "audio_snr_db": 40.0, **HALF_SOUND}
INT8_BARS = {"top1_agreement": 0.8, "kl": 0.02, "audio_snr_db": 40.0, **HALF_SOUND}
INT4_BARS = {"top1_agreement": 0.5, "kl": 0.2, "audio_snr_db": 40.0, **HALF_SOUND}
OF_INT8 = "KL 0.001, top-1 0.94 on random full-size weights, 0.0005 and 0.99 on trained ones"
OF_INT4 = "KL 0.02 to 0.11, top-1 0.6 to 0.8 on random full-size weights, 0.04, 0.94 on trained"

EXACT_FEATURES = frozenset({"hubert"})  # small errors move the prompt tokens to other codes


PRECISIONS: dict[str, Precision] = {
    "fp32": Precision(
        _unchanged,
        _every_graph,
        "what PyTorch computed",
        EXACT_BARS,
        "float32 in another order: audio 110 to 120 dB from PyTorch, tokens equal",
    ),
    "fp16": Precision(
        _half,
        _every_graph,
        "fp16 arithmetic; nodes that measurably need it, and on a CPU the decoder, compute in fp32",
        HALF_BARS,
        "audio 60 dB and more, where half the bits of fp32 allow about that; KL below 1e-4",
        arithmetic="fp16",
    ),
    "fp16_stored": Precision(
        _stored,
        _every_graph,
        "weights stored in fp16, computed in fp32: half the disk, any machine",
        HALF_BARS,
        "audio 63 dB on full-size weights; rounding is that of fp16",
    ),
    "int8": Precision(
        partial(_weight_only, bits=8),
        _bearing_8_bits,
        "MatMul weights in 8 bits: the fastest step on a CPU",
        INT8_BARS,
        OF_INT8,
        instead="fp16_stored",
        engines=False,
        on_request=EXACT_FEATURES,
    ),
    "int8_kv8": Precision(
        partial(_weights_and_cache, bits=8),
        _caching,
        "int8 with a KV cache in 8 bits: a quarter of its memory; steps gain, prefill loses",
        INT8_BARS,
        OF_INT8,
        instead="int8",
        engines=False,
    ),
    "int4": Precision(
        partial(_weight_only, bits=4),
        _mostly_matmul,
        "MatMul weights in 4 bits: the smallest file; its KL is 20 to 100 times that of int8",
        INT4_BARS,
        OF_INT4,
        instead="fp16_stored",
        engines=False,
        on_request=EXACT_FEATURES,
    ),
    "int4_kv8": Precision(
        partial(_weights_and_cache, bits=4),
        _caching,
        "int4 with a KV cache in 8 bits",
        INT4_BARS,
        OF_INT4,
        instead="int4",
        engines=False,
    ),
}


def _refuse_unknown_names(model: onnx.ModelProto, job: ReductionJob) -> None:
    """A name to keep that nothing has would be a slip of the pen without any effect."""
    names = {name for node in model.graph.node for name in (node.name, *node.input)}
    for option, patterns in (("keep_fp32", job.keep_fp32), ("keep_int8", job.keep_int8)):
        for pattern in patterns:
            if not matches(tuple(names), (pattern,)):
                raise GraphError(
                    f"{job.graph}: {option} {pattern!r} fits no node or weight; a name here is"
                    f" {min(n for n in names if n)!r}"
                )


def reduce_file(source: Path, output: Path, record: Path, *, to: str, job: ReductionJob) -> None:
    """Write one fp32 graph at another precision, and how that was done.

    Args:
        source: fp32 ONNX file.
        output: ONNX file to write.
        record: JSON file to write: method, nodes and weights kept, trials, distances, bytes.
        to: key of PRECISIONS.
        job: the graph's name, its answers and what to keep.

    Raises:
        GraphError: not a graph, one that the precision does not fit, one that does not run, or one
            without a name that was to be kept.
    """
    import onnx
    from google.protobuf.message import DecodeError

    from workflow_scripts.variants.measure import Running, distance

    precision = PRECISIONS[to]
    if not precision.fits(job.graph):
        usual = usual_precision(to, job.graph)
        raise GraphError(f"{job.graph}: {to} is not meant for it; use {usual}")
    try:
        model = onnx.load(source)
    except DecodeError as error:
        raise GraphError(f"{source}: not an ONNX file; export it again") from error
    _refuse_unknown_names(model, job)
    converted, made = precision.convert(model, job)
    onnx.save(converted, output)
    found = {
        "graph": job.graph,
        "precision": to,
        **asdict(made),
        "relative_rms": distance(Running(output, job.graph), job.cases),
        "bytes": {"before": source.stat().st_size, "after": output.stat().st_size},
    }
    write_json(record, found)
