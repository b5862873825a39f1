"""The numbers of a checkpoint's configuration that fix its networks, each checked.

Torch-free. Reads a plain nested dict, knows no files.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.errors import CheckpointError

HIDDEN = 192  # of the text encoder; the reference has it in code
RESBLOCK_DILATIONS = 3  # of a block of type "1"
AUDIO = {"sampling_rate": 32000, "filter_length": 2048, "hop_length": 640, "win_length": 2048}
_MOST_WIDTH = 1 << 17
_MOST_LAYERS = 256


@dataclass(frozen=True)
class T2SSizes:
    """Sizes of a text-to-semantic transformer.

    Attributes:
        hidden: D, width of a row.
        heads: H; they divide D.
        layers: L.
        vocabulary: V, semantic tokens and EOS, which is the last.
        phone_rows: rows of the text embedding.
        max_sec: seconds of audio after which the reference stops.
    """

    hidden: int
    heads: int
    layers: int
    vocabulary: int
    phone_rows: int
    max_sec: int

    @property
    def end_token(self) -> int:
        """EOS is always the last of the vocabulary."""
        return self.vocabulary - 1

    @property
    def head_width(self) -> int:
        """Channels of one attention head."""
        return self.hidden // self.heads


@dataclass(frozen=True)
class SovitsSizes:
    """Sizes of an acoustic model, by the names of its `config.model`."""

    inter_channels: int
    hidden_channels: int
    filter_channels: int
    n_heads: int
    n_layers: int
    kernel_size: int
    gin_channels: int
    upsample_initial_channel: int
    upsample_rates: tuple[int, ...]
    upsample_kernel_sizes: tuple[int, ...]
    resblock_kernel_sizes: tuple[int, ...]
    resblock_dilation_sizes: tuple[tuple[int, ...], ...]


class _Reader:
    """Takes numbers out of a config and says where one is missing or wrong."""

    def __init__(self, config: Mapping[str, Any], section: str, where: str) -> None:
        self._where = f"{where}: config.{section}"
        values = config.get(section)
        if not isinstance(values, Mapping):
            raise CheckpointError(f"{self._where}: missing; the file is not a whole checkpoint")
        self._values = values

    def fault(self, key: str, what: str) -> CheckpointError:
        """One line about one key."""
        return CheckpointError(f"{self._where}.{key}: {what}; take the file of a finished training")

    def value(self, key: str) -> Any:
        """As it stands."""
        if key not in self._values:
            raise self.fault(key, "missing")
        return self._values[key]

    def number(self, key: str, most: int = _MOST_WIDTH) -> int:
        """A whole number from 1 to `most`."""
        return self._number(key, self.value(key), most)

    def numbers(self, key: str) -> tuple[int, ...]:
        """A short list of whole numbers."""
        return tuple(self._number(key, n, _MOST_WIDTH) for n in self._list(key, self.value(key)))

    def lists(self, key: str) -> tuple[tuple[int, ...], ...]:
        """A short list of short lists of whole numbers."""
        return tuple(
            tuple(self._number(key, n, _MOST_WIDTH) for n in self._list(key, row))
            for row in self._list(key, self.value(key))
        )

    def must(self, key: str, holds: bool, what: str) -> None:
        """Raise unless it holds."""
        if not holds:
            raise self.fault(key, f"{self._values.get(key)!r} {what}"[:200])

    def _list(self, key: str, value: Any) -> list[Any] | tuple[Any, ...]:
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= 16:
            raise self.fault(key, "not a short list")
        return value

    def _number(self, key: str, value: Any, most: int) -> int:
        if type(value) is not int or not 1 <= value <= most:
            raise self.fault(key, f"{value!r:.40} is not a whole number from 1 to {most}")
        return value


def t2s_sizes(config: Mapping[str, Any], where: str) -> T2SSizes:
    """Sizes of a T2S file.

    Args:
        config: its `config`.
        where: opens the error line.

    Returns:
        The sizes; `linear_units` plays no part, the feed-forward is always 4 D wide.

    Raises:
        CheckpointError: a key is missing, or the numbers contradict each other.
    """
    model = _Reader(config, "model", where)
    sizes = T2SSizes(
        hidden=model.number("hidden_dim"),
        heads=model.number("head"),
        layers=model.number("n_layer", _MOST_LAYERS),
        vocabulary=model.number("vocab_size"),
        phone_rows=model.number("phoneme_vocab_size"),
        max_sec=_Reader(config, "data", where).number("max_sec"),
    )
    model.must("embedding_dim", model.value("embedding_dim") == sizes.hidden, "is not hidden_dim")
    model.must("EOS", model.value("EOS") == sizes.vocabulary - 1, "is not vocab_size - 1")
    model.must("hidden_dim", sizes.hidden % 2 == 0, "is odd")
    model.must("head", sizes.hidden % sizes.heads == 0, "does not divide hidden_dim")
    return sizes


def sovits_sizes(config: Mapping[str, Any], where: str) -> SovitsSizes:
    """Sizes of a SoVITS file.

    Args:
        config: its `config`.
        where: opens the error line.

    Returns:
        The sizes.

    Raises:
        CheckpointError: a key is missing, or the networks can't be built by these numbers.
    """
    model = _Reader(config, "model", where)
    sizes = SovitsSizes(
        inter_channels=model.number("inter_channels"),
        hidden_channels=model.number("hidden_channels"),
        filter_channels=model.number("filter_channels"),
        n_heads=model.number("n_heads"),
        n_layers=model.number("n_layers", _MOST_LAYERS),
        kernel_size=model.number("kernel_size"),
        gin_channels=model.number("gin_channels"),
        upsample_initial_channel=model.number("upsample_initial_channel"),
        upsample_rates=model.numbers("upsample_rates"),
        upsample_kernel_sizes=model.numbers("upsample_kernel_sizes"),
        resblock_kernel_sizes=model.numbers("resblock_kernel_sizes"),
        resblock_dilation_sizes=model.lists("resblock_dilation_sizes"),
    )
    _check_encoder(model, sizes)
    _check_vocoder(model, sizes)
    data = _Reader(config, "data", where)
    for key, number in AUDIO.items():
        data.must(key, data.value(key) == number, f"is not {number}")
    return sizes


def _check_encoder(model: _Reader, sizes: SovitsSizes) -> None:
    hidden = sizes.hidden_channels
    model.must("hidden_channels", hidden == HIDDEN, f"is not {HIDDEN}")
    model.must("n_heads", hidden % sizes.n_heads == 0, "does not divide hidden_channels")
    model.must("kernel_size", sizes.kernel_size % 2 == 1, "is even")
    model.must("inter_channels", sizes.inter_channels % 2 == 0, "is odd")


def _check_vocoder(model: _Reader, sizes: SovitsSizes) -> None:
    rates, kernels = sizes.upsample_rates, sizes.upsample_kernel_sizes
    hop = AUDIO["hop_length"]
    model.must("resblock", model.value("resblock") == "1", "is not '1'")
    model.must("upsample_rates", math.prod(rates) == hop, f"do not multiply to {hop}")
    fits = len(rates) == len(kernels) and _all(
        lambda rate, kernel: kernel >= rate and (kernel - rate) % 2 == 0, rates, kernels
    )
    model.must("upsample_kernel_sizes", fits, "do not fit upsample_rates")
    halved = sizes.upsample_initial_channel % 2 ** len(rates) == 0
    model.must("upsample_initial_channel", halved, f"can't be halved {len(rates)} times")
    odd = all(kernel % 2 == 1 for kernel in sizes.resblock_kernel_sizes)
    model.must("resblock_kernel_sizes", odd, "has an even one")
    dilations = sizes.resblock_dilation_sizes
    rows = len(dilations) == len(sizes.resblock_kernel_sizes)
    threes = all(len(row) == RESBLOCK_DILATIONS for row in dilations)
    model.must("resblock_dilation_sizes", rows and threes, "are not 3 for each kernel")


def _all(holds: Callable[[int, int], bool], ones: tuple[int, ...], others: tuple[int, ...]) -> bool:
    return all(holds(one, other) for one, other in zip(ones, others, strict=True))
