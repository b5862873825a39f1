"""The graphs of one voice by name: opens them on a back end and puts them together."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TypeVar, cast

from runtime.acoustic.kind import AcousticModel, open_model
from runtime.backends import (
    BACKENDS,
    Backend,
    Folders,
    GraphRunner,
    Threads,
    Windows,
    backend_for,
)
from runtime.backends.choices import Choice
from runtime.backends.cpu import CpuGraph
from runtime.contract import STEP_TABLES
from runtime.errors import BundleError, GraphError, MachineError, SettingError
from runtime.external_data import refuse_external_data
from runtime.manifest import Acoustic, Manifest
from runtime.processor import cores
from runtime.reference.encoder import ReferenceEncoder, ReferenceGraphs
from runtime.signature import Signed, Sizes
from runtime.t2s.batch import Plan
from runtime.t2s.cache import CacheShape
from runtime.t2s.decode import Decoder
from runtime.t2s.device_loop import LoopDecoder
from runtime.t2s.request import TokenSource
from runtime.t2s.step_tables import read_tables

POSITIONS = 4000  # rows of the reference's sine table
DECODER = "t2s_decoder"
Opened = TypeVar("Opened")


class Once:
    """Opens a graph at the first call, and hands the same one back at each further call."""

    def __init__(self, opens: Callable[[], GraphRunner]) -> None:
        self._opens = opens
        self._lock = threading.Lock()
        self._runner: GraphRunner | None = None

    def __call__(self) -> GraphRunner:
        """The graph."""
        with self._lock:
            if self._runner is None:
                self._runner = self._opens()
            return self._runner


@dataclass(frozen=True)
class VoiceGraphs:
    """Where the graphs are and what runs them.

    Attributes:
        files: name in the contract to ONNX file.
        tables: `t2s_tables.npz` of the voice.
        acoustic: what the manifest states of the acoustic model.
        backends: graph to the name of its back end; `default` for those that are not in it.
        default: a name of BACKENDS.
        below: graph to what is taken where its back end can't be used, in this order.
        threads: of each session.
        folders: for what back ends compile, and where engines are.
        opened: graph to the back end that runs it, as far as it was opened.
        sizes: what graphs are compared with when they are opened; None compares none.
        windows: back end to the vocoder's, where not the usual ones.
        users: sentences that are decoded at once.
    """

    files: Mapping[str, Path]
    tables: Path
    acoustic: Acoustic
    backends: Mapping[str, str] = field(default_factory=dict)
    default: str = "cpu"
    below: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    threads: Threads = field(default_factory=Threads)
    folders: Folders = field(default_factory=Folders)
    opened: dict[str, str] = field(default_factory=dict, compare=False)
    sizes: Sizes | None = field(default=None, compare=False)
    windows: Mapping[str, Windows] = field(default_factory=dict)
    users: int = 1

    @classmethod
    def of_bundle(
        cls,
        folder: Path,
        manifest: Manifest,
        choice: Choice,
        threads: int | Threads = 0,
        folders: Folders | None = None,
        users: int = 1,
    ) -> "VoiceGraphs":
        """The graphs of a bundle on the back ends that were chosen."""
        files = {name: folder / member.file for name, member in manifest.graphs.items()}
        tables = folder / STEP_TABLES
        return cls(
            files,
            tables,
            manifest.acoustic,
            choice.backends,
            below=choice.below,
            threads=threads if isinstance(threads, Threads) else Threads(threads),
            folders=folders or Folders(),
            sizes=Sizes.of(manifest),
            windows=choice.windows,
            users=users,
        )

    def __contains__(self, graph: str) -> bool:
        return graph in self.files

    def open(self, graph: str) -> GraphRunner:
        """Load one graph on its back end.

        Raises:
            SettingError: the back end is not for this graph.
            BackendMissing: it is not there, or would compute otherwise than it says.
        """
        return self._first(graph, lambda row: self._opened(graph, row))

    def _opened(self, graph: str, backend: Backend) -> GraphRunner:
        path = self.files[graph]
        runner = backend.open_graph(path, self.threads, self.folders)
        if self.sizes is not None:
            refuse_external_data(path)
            if isinstance(runner, Signed):
                self.sizes.compare(graph, runner, f"{path}")
        return runner

    def _first(self, graph: str, opened: Callable[[Backend], Opened]) -> Opened:
        """What the first back end of a graph's list gives that can be used; why not is logged."""
        names = (self.backends.get(graph, self.default), *self.below.get(graph, ()))
        for name, after in pairwise(names):
            try:
                found = opened(backend_for(graph, name))
            except (GraphError, MachineError) as reason:
                logging.warning("%s runs on %s, not on %s: %s", graph, after, name, reason)
                continue
            self.opened[graph] = name
            return found
        self.opened[graph] = names[-1]
        return opened(backend_for(graph, names[-1]))

    def opener(self, graph: str) -> Callable[[], GraphRunner]:
        """Load it when it is first needed; once, also where several threads come first at once."""
        return Once(partial(self.open, graph))

    def decoder(self) -> Decoder | LoopDecoder:
        """The T2S graphs, as their back end runs them, for one sentence at a time."""
        return self._first(DECODER, self._decoder)

    def token_source(self) -> TokenSource:
        """The T2S graphs for `users` sentences at once, as far as their back end decodes so.

        Raises:
            SettingError: `users` is below 1.
        """
        users = self.users
        if users < 1:
            raise SettingError(f"users: {users} is below 1; give 1 or more")
        decoder = self.decoder()
        if users == 1 or isinstance(decoder, LoopDecoder):
            return decoder
        row = backend_for(DECODER, self.opened[DECODER])
        one = replace(self.threads, intra_op=1)
        narrow = cast(CpuGraph, row.open_graph(self.files[DECODER], one, self.folders))
        return decoder.batched(narrow, Plan.of(users, self.threads.intra_op or cores()))

    def _decoder(self, backend: Backend) -> Decoder | LoopDecoder:
        if not backend.loops:
            return self._stepwise(backend)
        loop = backend.open_loop(self.files[DECODER], self.threads, self.folders)
        return LoopDecoder(self.open("t2s_embed"), loop)

    def _stepwise(self, backend: Backend) -> Decoder:
        """With step tables, and a cache on the host; sizes are read from the graph."""
        tables = read_tables(self.tables, POSITIONS)
        decoder = cast(CpuGraph, self._opened(DECODER, backend))
        shape = CacheShape(
            layers=sum(name.startswith("past_keys.") for name in decoder.input_names),
            heads=decoder.input_dim("past_keys.0", 1),
            head_width=decoder.input_dim("past_keys.0", 3),
            dtype=decoder.input_dtype("past_keys.0"),
            huge_pages=self.threads.huge_pages,
        )
        wanted = (self.sizes.known.get("V"), decoder.input_dim("rows", 1)) if self.sizes else None
        if wanted is not None and tables.audio_embedding.shape != wanted:
            raise BundleError(
                f"{self.tables}: {list(tables.audio_embedding.shape)}, want {list(wanted)}; of"
                " another voice, build it again"
            )
        return Decoder(self.open("t2s_embed"), decoder, tables, shape)

    def windows_of(self, graph: str) -> Windows:
        """The lengths at which the back end that runs a graph takes the vocoder."""
        name = self.opened.get(graph, self.default)
        return self.windows.get(name, BACKENDS[name].windows[0])

    def acoustic_model(self) -> AcousticModel:
        """The graphs that make sound of tokens."""
        return open_model(self)

    def references(self) -> ReferenceEncoder:
        """What encodes a reference, loaded when a reference comes."""
        return ReferenceEncoder(
            ReferenceGraphs(
                hubert=self.opener("hubert"),
                quantizer=self.opener("quantizer"),
                style=self.opener("style"),
                speaker=self.opener("speaker") if "speaker" in self else None,
                acoustic=self.acoustic,
            )
        )
