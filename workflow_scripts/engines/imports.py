"""Ask TensorRT-RTX whether NVIDIA's importer takes a graph, on any machine, and record the answer.

That is evidence for a target that can build nothing here: of the import by TensorRT-RTX alone, not
of TensorRT's own builder, and not of numbers or speed. On request the engine is built too, measured
and thrown away: without a GPU nobody can run it.
"""

import argparse
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from runtime.backends.engine_load import log_of
from runtime.cli import option, run
from runtime.errors import BackendMissing, EngineBuildError, GraphError
from runtime.manifest import digest
from workflow_scripts.engines import tensorrt
from workflow_scripts.engines.build import EngineJob, library_module, prepared
from workflow_scripts.engines.importer import Release
from workflow_scripts.files import atomic, write_json

FORMAT = 1
KIB = 1024  # Linux counts memory in them
LIBRARY = "tensorrt_rtx"


def imported(job: EngineJob, trt: ModuleType) -> str:
    """Import a graph as an engine's would be, without building it.

    Args:
        job: the graph.
        trt: `tensorrt_rtx`.

    Returns:
        Nothing, or why the importer does not take it.
    """
    log = log_of(trt)
    log.messages.clear()
    release = Release(trt.__name__, trt.__version__)
    try:
        with tempfile.TemporaryDirectory(prefix="import-") as folder:
            request, _ = prepared(job, release, Path(folder))
            with tensorrt.imported(trt, log, request.graph) as (_, network):
                found = {tensor.name for tensor in tensorrt.io_tensors_of(network)}
    except (GraphError, EngineBuildError) as error:
        return f"{error}"
    lost = {tensor.name for tensor in request.io_tensors} ^ found
    return f"{job.source.name}: '{min(lost)}' is not on both sides of the import" if lost else ""


def built(job: EngineJob, trt: ModuleType) -> dict[str, Any]:
    """Build an engine, and say what that took; peak memory is that of the whole process.

    Raises:
        GraphError, EngineBuildError: it can't be built.
    """
    import resource  # absent on Windows

    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="build-") as folder:
        request, _ = prepared(job, Release(trt.__name__, trt.__version__), Path(folder))
        engine = tensorrt.build(trt, request)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
    seconds = round(time.monotonic() - begin, 1)
    return {"seconds": seconds, "engine_bytes": len(engine.plan), "peak_memory_bytes": peak}


def record(job: EngineJob, build: bool = False) -> dict[str, Any]:
    """What the importer says of a graph; `refused` is empty where it takes it."""
    found = {"format": FORMAT, "graph": job.graph, "onnx_sha256": digest(job.source)}
    try:
        trt = library_module(LIBRARY)
    except BackendMissing:
        return {**found, "library": None, "refused": f"{LIBRARY} is not installed to import it"}
    found |= {"library": f"{LIBRARY} {trt.__version__}", "refused": imported(job, trt)}
    return found | ({"built": built(job, trt)} if build and not found["refused"] else {})


def main(argv: list[str] | None = None) -> None:
    """Import what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("source", type=Path, help="ONNX file of the build")
    option(parser, "--graph", required=True, help="its name in the contract")
    option(parser, "--precision", required=True, help="what the file was written at")
    option(parser, "--max-len", type=int, required=True, help="rows of the KV cache; 0 if none")
    option(parser, "--tables", type=Path, metavar="NPZ", help="t2s_tables.npz, for t2s_loop")
    option(parser, "--build", action="store_true", help="build it too; a large one takes minutes")
    option(parser, "--output", type=Path, required=True, metavar="JSON", help="file to write")
    args = parser.parse_args(argv)
    job = EngineJob(args.source, args.graph, args.precision, args.max_len, tables=args.tables)
    found = record(job, args.build)
    with atomic(args.output) as (part,):
        write_json(part, found)


if __name__ == "__main__":
    run(main)
