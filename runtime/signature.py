"""Compare an opened graph with the contract and with the sizes of its voice.

A bundle's digests say that its files are those that were listed, not that they fit together: a
graph in another's place, or of another voice, is refused when it is opened.
"""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from runtime.backends import Port
from runtime.contract import GRAPHS, Tensor
from runtime.errors import BundleError
from runtime.manifest import Manifest

TEXT_FEATURES = 1024  # what the T2S graphs take; a letter of its own in RoBERTa's contract


@runtime_checkable
class Signed(Protocol):
    """A back end's graph that can say what goes in and out."""

    def ports(self) -> tuple[list[Port], list[Port]]:
        """Inputs and outputs, in the graph's order."""
        ...


@dataclass
class Sizes:
    """What each letter of the contract is in one voice, as far as it is known.

    Attributes:
        known: letter to size; filled by the manifest, and then by each graph.
        layers: of the decoder.
    """

    known: dict[str, int] = field(default_factory=dict)
    layers: int = 0

    @classmethod
    def of(cls, manifest: Manifest) -> "Sizes":
        """What the manifest states."""
        t2s, acoustic = manifest.t2s, manifest.acoustic
        known = {"V": t2s.vocabulary, "H": t2s.heads, "Y": acoustic.spectrogram_bins}
        return cls(known, t2s.layers)

    def compare(self, name: str, graph: Signed, where: str) -> None:
        """Refuse a graph that does not keep the contract, or contradicts what is known.

        Args:
            name: of the graph in the contract.
            graph: as it was opened.
            where: its file, which begins the message.

        Raises:
            BundleError: what is another than it must be.
        """
        if name not in GRAPHS:
            return
        wanted = GRAPHS[name].expanded(self.layers)
        known = self.known if name != "roberta" else {"W": TEXT_FEATURES}
        inputs, outputs = graph.ports()
        given = {port.name for port in inputs}
        wanted = wanted.without(frozenset(wanted.optional - given))
        for ports, tensors in ((inputs, wanted.inputs), (outputs, wanted.outputs)):
            _refuse_names(ports, tensors, where)
            by_name = {port.name: port for port in ports}
            for tensor in tensors:
                _compare(by_name[tensor.name], tensor, known, where)


def _compare(port: Port, tensor: Tensor, known: dict[str, int], where: str) -> None:
    """Refuse another type, another count of dims, or another size than is known; learn new ones."""
    if port.dtype and port.dtype not in (tensor.dtype, *tensor.reduced):
        raise _other(where, port.name, f"{port.dtype}, want {tensor.dtype}")
    if len(port.dims) != len(tensor.dims):
        raise _other(where, port.name, f"{len(port.dims)} dims, want {len(tensor.dims)}")
    for found, dim, dynamic in zip(port.dims, tensor.dims, tensor.dynamic, strict=True):
        if dynamic or found is None:
            continue
        want = dim if isinstance(dim, int) else known.setdefault(dim, found)
        if found != want:
            raise _other(where, port.name, f"{found} where the voice has {want}")


def _refuse_names(ports: list[Port], tensors: tuple[Tensor, ...], where: str) -> None:
    names = {port.name for port in ports}
    missing = [tensor.name for tensor in tensors if tensor.name not in names]
    odd = sorted(names - {tensor.name for tensor in tensors})
    if missing or odd:
        raise _other(where, (missing or odd)[0], "missing" if missing else "not in the contract")


def _other(where: str, name: str, what: str) -> BundleError:
    return BundleError(f"{where}: {name}: {what}; another graph than its voice's, build it again")
