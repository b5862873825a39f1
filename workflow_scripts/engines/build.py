"""Build the engine of one graph on this machine, with a sidecar that says what it is made of."""

import argparse
import contextlib
import hashlib
import importlib
import json
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
from onnx import helper

from runtime.cli import option, run
from runtime.contract import DEVICE_GRAPHS
from runtime.errors import BackendMissing, EngineMismatch, GraphError
from runtime.machine import (
    LIBRARIES,
    MachineRecord,
    canonical_json,
    differing,
    machine_record,
    require_gpu,
)
from runtime.manifest import digest
from workflow_scripts.engines import tensorrt
from workflow_scripts.engines.arithmetic import ARITHMETICS, compute_in
from workflow_scripts.engines.decoder import attention_for, engine_decoder
from workflow_scripts.engines.importer import Release, check_importable
from workflow_scripts.engines.loop import loop_graph
from workflow_scripts.engines.profiles import Dims, Profile, profiles
from workflow_scripts.engines.tensorrt import Built, IOTensor, Options, Request
from workflow_scripts.files import atomic, write_json
from workflow_scripts.graphs.check import check_model, load_structure
from workflow_scripts.variants.precisions import PRECISIONS

FORMAT = 1
DECODER = "t2s_decoder"
(LOOP,) = DEVICE_GRAPHS  # made of a decoder
STATE = "built"


@dataclass(frozen=True)
class EngineJob:
    """One engine to build.

    Attributes:
        source: ONNX file of the build, as exported or simplified.
        graph: its name in the contract.
        precision: what the file was written at; key of PRECISIONS.
        max_len: rows of the KV cache.
        options: how to build.
        tables: rows of tokens and positions, for the loop.
        arithmetic: of a decoder, key of ARITHMETICS; empty: that of its precision.
    """

    source: Path
    graph: str
    precision: str
    max_len: int
    options: Options = field(default_factory=Options)
    tables: Path | None = None
    arithmetic: str = ""

    @property
    def computed_in(self) -> str:
        """What the decoder computes in."""
        return self.arithmetic or PRECISIONS[self.precision].arithmetic


@dataclass(frozen=True)
class Outputs:
    """Where to write.

    Attributes:
        engine: the engine.
        sidecar: JSON file beside it.
        timing_cache: of this machine, read and written; None for a library that keeps none.
    """

    engine: Path
    sidecar: Path
    timing_cache: Path | None = None


def build_file(job: EngineJob, trt: ModuleType, machine: MachineRecord, to: Outputs) -> None:
    """Build one engine; both files appear, or none.

    Args:
        job: what to build.
        trt: the engine library.
        machine: the record of this machine.
        to: where to write.

    Raises:
        GraphError: the graph can't become an engine.
        EngineBuildError: the library failed.
    """
    started = time.monotonic()
    release = Release(trt.__name__, trt.__version__)
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        request, facts = prepared(job, release, Path(folder))
        built = tensorrt.build(trt, _with_cache(request, to.timing_cache))
    sidecar = {
        "format": FORMAT,
        "graph": job.graph,
        "state": STATE,
        "engine_key": engine_key(machine, facts),
        "engine": {"sha256": hashlib.sha256(built.plan).hexdigest(), "bytes": len(built.plan)},
        "machine": machine.as_json(),
        "build": facts,
        "io_tensors": [asdict(tensor) for tensor in request.io_tensors],
        "warnings": list(dict.fromkeys(built.warnings)),
        "build_seconds": round(time.monotonic() - started, 1),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with atomic(to.engine, to.sidecar) as (engine, record):
        engine.write_bytes(built.plan)
        write_json(record, sidecar)
    _keep_cache(built, to.timing_cache)


def engine_key(machine: MachineRecord, facts: dict[str, Any]) -> str:
    """sha256 over all that an engine depends on."""
    content = canonical_json({"machine": dict(machine.hard), "build": facts})
    return hashlib.sha256(content.encode()).hexdigest()


def prepared(job: EngineJob, release: Release, folder: Path) -> tuple[Request, dict[str, Any]]:
    """What to ask the library for.

    Args:
        job: what to build.
        release: the library.
        folder: for a decoder, which is rewritten.

    Returns:
        The request, and the facts that go into the key.

    Raises:
        GraphError: the graph does not keep the contract, or can't be imported.
    """
    stored_as = DECODER if job.graph == LOOP else job.graph
    check_model(load_structure(job.source), stored_as, job.source.name)
    model = onnx.load(job.source)
    attention, path, options = "", job.source, job.options
    if stored_as == DECODER:
        attention = attention_for(release)
        model = _rewritten(model, job, attention)
        path = folder / f"{job.graph}.onnx"
        onnx.save(model, path)
        options = replace(options, max_aux_streams=0)  # a step is one chain of small kernels
    check_importable(model, job.source.name, release)
    io_tensors = _io_tensors(model.graph)
    inputs = {tensor.name: tensor.shape for tensor in io_tensors if tensor.mode == "input"}
    lengths = profiles(job.graph, inputs, job.max_len)
    facts = {
        "onnx_sha256": content_digest(job.source),
        "opset": next(entry.version for entry in model.opset_import if not entry.domain),
        "precision": job.precision,
        "max_len": job.max_len,
        "attention": attention or "as stored",
        "arithmetic": job.computed_in if attention else "as stored",
        "profiles": _profile_facts(lengths),
        "library": f"{release.library} {release.version}",
        "network_flags": "STRONGLY_TYPED",
        "optimization_level": options.optimization_level,
        "workspace_bytes": options.workspace_bytes,
        "tf32": "on" if options.tf32 else "off",
        "max_aux_streams": -1 if options.max_aux_streams is None else options.max_aux_streams,
        "detailed": "on" if options.detailed else "off",
    }
    if job.tables is not None:
        facts["tables_sha256"] = digest(job.tables)
    return Request(path, io_tensors, lengths, options), facts


def _rewritten(model: onnx.ModelProto, job: EngineJob, attention: str) -> onnx.ModelProto:
    """A decoder as an engine takes it, alone or with what makes a loop of it."""
    if job.graph != LOOP:
        rewritten = engine_decoder(model, job.max_len, attention)
        compute_in(rewritten.graph, job.computed_in)
        return rewritten
    if job.tables is None:
        raise GraphError(f"{job.source.name}: {LOOP} needs t2s_tables.npz; give --tables")
    with np.load(job.tables, allow_pickle=False) as tables:
        return loop_graph(model, dict(tables), job.max_len, attention, job.computed_in)


def content_digest(graph: Path) -> str:
    """sha256 over an ONNX file and the files that hold its weights, if there are any."""
    model = onnx.load(graph, load_external_data=False)
    places = {
        entry.value
        for weight in model.graph.initializer
        for entry in weight.external_data
        if entry.key == "location"
    }
    digest = hashlib.sha256(graph.read_bytes())
    for place in sorted(places):
        digest.update((graph.parent / place).read_bytes())
    return digest.hexdigest()


def _io_tensors(graph: onnx.GraphProto) -> tuple[IOTensor, ...]:
    return tuple(
        IOTensor(value.name, mode, _dtype(value), _dims(value))
        for mode, values in (("input", graph.input), ("output", graph.output))
        for value in values
    )


def _dtype(value: onnx.ValueInfoProto) -> str:
    return f"{helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)}"


def _dims(value: onnx.ValueInfoProto) -> Dims:
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in dims)


def _profile_facts(lengths: tuple[Profile, ...]) -> dict[str, Any]:
    return {
        profile.name: {
            name: {end: list(dims) for end, dims in asdict(shapes).items()}
            for name, shapes in profile.inputs.items()
        }
        for profile in lengths
    }


def _with_cache(request: Request, path: Path | None) -> Request:
    if path is None:
        return request
    return replace(request, timing_cache=path.read_bytes() if path.exists() else b"")


def _keep_cache(built: Built, path: Path | None) -> None:
    """Two builds at once lose at most what one of them has measured."""
    if path is None or built.timing_cache is None:
        return
    # the other build may take our part for one that a dead process left
    with contextlib.suppress(FileNotFoundError), atomic(path) as (part,):
        part.write_bytes(built.timing_cache)


def library_module(name: str) -> ModuleType:
    """The engine library.

    Raises:
        BackendMissing: it can't be imported.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as fault:
        raise BackendMissing(f"{name}: can't be imported ({fault}); install it") from fault


def check_machine(wanted: MachineRecord, here: MachineRecord, version: str) -> None:
    """Refuse to build for another machine than this one.

    Args:
        wanted: what the path of the engine stands for.
        here: this machine.
        version: of the library that was imported.

    Raises:
        BackendMissing: there is no GPU here.
        EngineMismatch: the two differ.
    """
    require_gpu(here, "engine")
    if wanted.id != here.id:
        raise EngineMismatch(
            f"engine wanted for {wanted.id} but this machine is {here.id}"
            f" ({'; '.join(differing(wanted.hard, here.hard))}); make the machine's record again:"
            " snakemake artifacts/machines/TARGET.json --forcerun record_machine"
        )
    if version != here.hard["trt_version"]:
        raise EngineMismatch(
            f"engine: {here.hard['trt_flavour']} {here.hard['trt_version']} is installed but"
            f" {version} is imported; leave one of them"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("source", type=Path, help="ONNX file of the build")
    option(parser, "--graph", required=True, help="its name in the contract")
    option(parser, "--precision", required=True, help="what the file was written at")
    option(parser, "--max-len", type=int, required=True, help="rows of the KV cache; 0 if none")
    option(parser, "--tables", type=Path, metavar="NPZ", help=f"t2s_tables.npz, for {LOOP}")
    option(
        parser,
        "--arithmetic",
        choices=ARITHMETICS,
        default="",
        help="of a decoder (default: that of the precision)",
    )
    option(parser, "--machine", type=Path, required=True, metavar="JSON", help="record wanted")
    option(parser, "--machine-id", help="id that the record must have (default: any)")
    option(parser, "--timing-cache", type=Path, metavar="FILE", help="read and written")
    option(parser, "--output", type=Path, required=True, metavar="ENGINE", help="file to write")
    option(parser, "--sidecar", type=Path, required=True, metavar="JSON", help="file to write")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Build what the command line names."""
    args = _parser().parse_args(argv)
    wanted = MachineRecord.from_json(json.loads(args.machine.read_text("utf-8")))
    if args.machine_id not in (None, wanted.id):
        raise EngineMismatch(
            f"{args.machine}: engine wanted for {args.machine_id}, but the record is of"
            f" {wanted.id}; an engine of another machine is built on that machine"
        )
    library = str(wanted.hard.get("trt_flavour", next(iter(LIBRARIES))))
    here = machine_record(library)
    require_gpu(here, "engine")
    trt = library_module(library)
    check_machine(wanted, here, trt.__version__)
    cache = args.timing_cache if library == "tensorrt" else None
    job = EngineJob(
        args.source,
        args.graph,
        args.precision,
        args.max_len,
        tables=args.tables,
        arithmetic=args.arithmetic,
    )
    build_file(job, trt, here, Outputs(args.output, args.sidecar, cache))


if __name__ == "__main__":
    run(main)
