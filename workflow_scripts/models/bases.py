"""Read the folder of a published base (HuBERT, RoBERTa) into configuration and tensors.

Reads these files alone, each once: no network, no code from the folder, and nothing is built of
numbers that the tensors belie.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from runtime.errors import CheckpointError
from workflow_scripts.checkpoint import pickles
from workflow_scripts.checkpoint.archive import check_sums, in_memory
from workflow_scripts.checkpoint.contents import flat_stubs, stubs_of
from workflow_scripts.checkpoint.legacy import Legacy, is_legacy
from workflow_scripts.checkpoint.source import Source
from workflow_scripts.checkpoint.tensors import tensors

SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
ACTIVATIONS = ("gelu", "relu", "gelu_new", "silu", "swish")
_MOST_WIDTH = 1 << 14
_MOST_ENTRIES = 1 << 20  # of a vocabulary
_MOST_LAYERS = 128
_MOST_CONFIG_BYTES = 1 << 20


class BaseConfig:
    """The `config.json` of a base, each value checked as it is taken."""

    def __init__(self, base: Source, kind: str) -> None:
        """Read it.

        Args:
            base: the folder.
            kind: what its `model_type` must be.

        Raises:
            CheckpointError: there is none, it is not JSON, or it is another kind of model.
        """
        self.path = base.path / "config.json"
        if not base.has("config.json"):
            raise CheckpointError(f"{base.path}: no config.json; give the folder of a {kind}")
        content = base.content("config.json")
        if len(content) > _MOST_CONFIG_BYTES:
            raise CheckpointError(f"{self.path}: {len(content)} bytes; give the published file")
        try:
            config = json.loads(content.decode("utf-8-sig"))
        except (ValueError, RecursionError) as fault:
            raise CheckpointError(f"{self.path}: not JSON ({fault}); fetch it again") from None
        found = config.get("model_type") if isinstance(config, dict) else None
        if found != kind:
            raise CheckpointError(
                f"{self.path}: model_type is {found!r:.40}; give the folder of a {kind!r}"
            )
        self._values: dict[str, Any] = config

    def fault(self, key: str, wanted: str) -> CheckpointError:
        """One line about one key."""
        value = self._values.get(key)
        return CheckpointError(f"{self.path}: {key}: {value!r:.40} is not {wanted}; fetch it again")

    def number(self, key: str, most: int = _MOST_WIDTH, *, default: int | None = None) -> int:
        """A whole number from 1 to `most`."""
        value = self._values.get(key, default)
        if type(value) is not int or not 1 <= value <= most:
            raise self.fault(key, f"a whole number from 1 to {most}")
        return value

    def layers(self, key: str) -> int:
        """How many layers."""
        return self.number(key, _MOST_LAYERS)

    def entries(self, key: str) -> int:
        """Rows of a table."""
        return self.number(key, _MOST_ENTRIES)

    def numbers(self, key: str) -> list[int]:
        """A short list of whole numbers."""
        value = self._values.get(key)
        short = isinstance(value, list) and 1 <= len(value) <= 16
        if not short or not all(type(n) is int and 1 <= n <= _MOST_WIDTH for n in value or []):
            raise self.fault(key, f"a short list of whole numbers from 1 to {_MOST_WIDTH}")
        return list(value or [])

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._values.get(key, default)
        if not isinstance(value, bool):
            raise self.fault(key, "true or false")
        return value

    def must_not(self, *keys: str) -> None:
        """Refuse what would make another network than the one that is built here."""
        for key in keys:
            if self._values.get(key) not in (None, False):
                raise self.fault(key, "false, which is all that is read")

    def epsilon(self, key: str) -> float:
        """A small number above 0."""
        value = self._values.get(key)
        if not isinstance(value, float | int) or not 0 < value < 1:
            raise self.fault(key, "a number between 0 and 1")
        return float(value)

    def one_of(self, key: str, known: tuple[str, ...], default: str) -> str:
        """One of some words."""
        value = self._values.get(key, default)
        if value not in known:
            raise self.fault(key, f"one of {', '.join(known)}")
        return str(value)

    def must_divide(self, key: str, number: int, of: str, whole: int) -> None:
        """Refuse a number that does not divide another."""
        if whole % number:
            raise self.fault(key, f"a divisor of {of}, {whole}")


def read_tensors(folder: Path | Source) -> dict[str, Tensor]:
    """The tensors of a base, from `model.safetensors` or else `pytorch_model.bin`.

    Raises:
        CheckpointError: there is neither, or it can't be read.
    """
    base = Source.of(folder)
    name = SAFE if base.has(SAFE) else PICKLED
    if not base.has(name):
        raise CheckpointError(f"{base.path}: neither {SAFE} nor {PICKLED}; fetch the weights")
    return read_tensor_file(base, name)


def read_tensor_file(source: Path | Source, name: str = "") -> dict[str, Tensor]:
    """The tensors of one file: safetensors, or a pickle that holds tensors by key and runs nothing.

    Args:
        source: the file, or the folder that it is in.
        name: of the file in the folder.

    Raises:
        CheckpointError: it can't be read, or holds something else.
    """
    given = Source.of(source)
    path = given.path / name
    content = given.content(name)
    if path.suffix == ".safetensors":
        try:
            return dict(safetensors.torch.load(bytes(content)))
        except Exception as fault:  # the library's errors are many, and not all its own
            reason = f"{fault}".split("\n")[0]
            raise CheckpointError(
                f"{path}: can't be read ({reason:.200}); fetch it again"
            ) from None
    whole, read = _pickled(path, content)
    return read(whole)


def read_nested_tensors(source: Path | Source, entry: str, name: str = "") -> dict[str, Tensor]:
    """The tensors of one pickled file that holds them under an entry.

    Args:
        source: the file, or the folder that it is in.
        entry: where it holds them.
        name: of the file in the folder.

    Raises:
        CheckpointError: it can't be read, or holds something else.
    """
    given = Source.of(source)
    path = given.path / name
    whole, read = _pickled(path, given.content(name))
    if not isinstance(whole, Mapping) or entry not in whole:
        raise CheckpointError(f"{path}: no entry {entry!r} in it; fetch the published file")
    return read(whole[entry])


def _pickled(path: Path, content: bytearray) -> tuple[Any, Callable[[Any], dict[str, Tensor]]]:
    """What a file of torch.save holds, and what reads the tensors of a mapping in it."""
    where = f"{path}"
    if is_legacy(content):
        old = Legacy(path, content)
        kept = pickles.load(old.pickle, where)[0]
        return kept, lambda held: old.tensors(flat_stubs(held, where), kept)
    archive = in_memory(path, content)

    def read(held: Any) -> dict[str, Tensor]:
        stubs = stubs_of(held, archive, where)
        check_sums(path, archive)
        return tensors(content, archive, stubs)

    return pickles.load(archive.pickle, where)[0], read


def shapes_of(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Shape of each tensor."""
    return {name: tuple(tensor.shape) for name, tensor in weights.items()}
