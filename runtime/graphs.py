"""The graphs of one voice by name: opens them on a back end and puts them together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from runtime.acoustic import Acoustic
from runtime.backends import GraphRunner, Threads, backend_for
from runtime.backends.cpu import CpuGraph
from runtime.cache import CacheShape
from runtime.choices import Choice
from runtime.contract import STEP_TABLES
from runtime.decode import Decoder, StepTables
from runtime.manifest import Manifest
from runtime.reference import ReferenceEncoder, ReferenceGraphs

POSITIONS = 4000  # rows of the reference's sine table


@dataclass(frozen=True)
class VoiceGraphs:
    """Where the graphs are and what runs them.

    Attributes:
        files: name in the contract to ONNX file.
        tables: `t2s_tables.npz` of the voice.
        backends: graph to the name of its back end; `default` for those that are not in it.
        default: a name of BACKENDS.
        threads: of each session.
        compiled: folder for what back ends compile; None keeps nothing.
    """

    files: Mapping[str, Path]
    tables: Path
    backends: Mapping[str, str] = field(default_factory=dict)
    default: str = "cpu"
    threads: Threads = field(default_factory=Threads)
    compiled: Path | None = None

    @classmethod
    def of_bundle(
        cls,
        folder: Path,
        manifest: Manifest,
        choice: Choice,
        threads: int | Threads = 0,
        compiled: Path | None = None,
    ) -> "VoiceGraphs":
        """The graphs of a bundle on the back ends that were chosen."""
        files = {name: folder / member.file for name, member in manifest.graphs.items()}
        tables = folder / STEP_TABLES
        own = threads if isinstance(threads, Threads) else Threads(threads)
        return cls(files, tables, choice.backends, threads=own, compiled=compiled)

    def __contains__(self, graph: str) -> bool:
        return graph in self.files

    def open(self, graph: str) -> GraphRunner:
        """Load one graph on its back end.

        Raises:
            SettingError: the back end is not for this graph.
            BackendMissing: it is not there, or would compute otherwise than it says.
        """
        backend = backend_for(graph, self.backends.get(graph, self.default))
        return backend.open_graph(self.files[graph], self.threads, self.compiled)

    def opener(self, graph: str) -> Callable[[], GraphRunner]:
        """Load it when it is first needed."""
        return partial(self.open, graph)

    def decoder(self) -> Decoder:
        """The T2S graphs with their step tables; sizes are read from the graph."""
        with np.load(self.tables, allow_pickle=False) as stored:
            tables = StepTables.from_arrays(dict(stored), POSITIONS)
        decoder = cast(CpuGraph, self.open("t2s_decoder"))
        shape = CacheShape(
            layers=sum(name.startswith("past_keys.") for name in decoder.input_names),
            heads=decoder.input_dim("past_keys.0", 1),
            head_width=decoder.input_dim("past_keys.0", 3),
            dtype=decoder.input_dtype("past_keys.0"),
            huge_pages=self.threads.huge_pages,
        )
        return Decoder(self.open("t2s_embed"), decoder, tables, shape)

    def acoustic(self) -> Acoustic:
        """Prior and vocoder."""
        return Acoustic(self.open("prior"), self.open("vocoder"))

    def references(self) -> ReferenceEncoder:
        """What listens to a reference, loaded when a reference comes."""
        return ReferenceEncoder(
            ReferenceGraphs(
                hubert=self.opener("hubert"),
                quantizer=self.opener("quantizer"),
                style=self.opener("style"),
                speaker=self.opener("speaker") if "speaker" in self else None,
            )
        )
