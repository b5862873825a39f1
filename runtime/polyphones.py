"""The g2pW model of a bundle, ready to be asked for readings; it runs on the CPU.

Its graph is an asset that was taken as it is, not one of the contract's, so no back end but ONNX
Runtime on the CPU is meant for it.
"""

import json
from functools import partial
from pathlib import Path

from runtime.backends import Threads
from runtime.backends.cpu import open_graph
from runtime.manifest import VOCABULARY, Manifest
from runtime.text.zh.polyphones import GRAPH, Polyphones, read_tables


def of_bundle(folder: Path, manifest: Manifest, threads: Threads) -> Polyphones | None:
    """What a bundle holds of g2pW; None if nothing. The graph is loaded when it is first needed.

    Raises:
        ArtifactError: a table of the model is broken.
    """
    files = {name: folder / file for name, file in manifest.g2pw.items()}
    if not files:
        return None
    vocabulary: dict[str, int] = json.loads((folder / VOCABULARY).read_text("utf-8"))
    return Polyphones(read_tables(files), vocabulary, partial(open_graph, files[GRAPH], threads))
