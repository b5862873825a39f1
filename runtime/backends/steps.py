"""The decode loop of one utterance on a device: buffers by name, a prefill, then step after step.

Knows the graph `t2s_loop` and not what runs it. A CUDA graph replay is compared with an eager step
before it is trusted.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.contract import BLOCK_TOKENS, CARRIED
from runtime.errors import GraphError, SettingError

Array = NDArray[Any]
TOLERANCE = 1e-3  # of logits, from two runs of the same kernels
COMPARED = (*CARRIED.values(), "logits")


class Buffers(Protocol):
    """What holds and runs the graph."""

    capacity: int
    vocabulary: int

    def put(self, name: str, array: Array) -> None:
        """Write an input; its dtype and shape are those of the graph."""
        ...

    def get(self, name: str) -> Array:
        """Read an input as it now is, or `logits`; a copy."""
        ...

    def prefill(self, rows: Array, bias: Array) -> None:
        """Run once over given rows."""
        ...

    def eager_steps(self, count: int) -> None:
        """Begin steps over the token of the state; whatever is asked next waits for them."""
        ...

    def capture(self) -> str:
        """Capture a step as a CUDA graph; why it can't be done, or nothing."""
        ...

    def replay(self, count: int) -> None:
        """The same as eager steps, by replaying the CUDA graph."""
        ...

    @property
    def idle_bytes(self) -> int:
        """What the device gets back when these are let go."""
        ...


class DeviceSteps:
    """Prefill and decode steps of one utterance after another.

    Attributes:
        cached: cached positions (context length).
        eager_because: why steps are not replayed as a CUDA graph; empty if they are.
    """

    def __init__(self, buffers: Buffers) -> None:
        """Capture a step, so that no utterance waits for it, and try it out."""
        self.buffers = buffers
        self.cached = 0
        self.eager_because = ""
        self._steps = self._tried()

    def begin(self, inputs: Mapping[str, Array], rows: Array, bias: Array) -> None:
        """Fill the cache with an utterance's first rows, and make its first token.

        Args:
            inputs: every input of `t2s_loop` besides rows, bias and caches; the state is made here
                of `position`, int64 [1]: that of the row before the first token.
            rows: float32 [Q, D].
            bias: float32 [1, 1, Q, Q].

        Raises:
            SettingError: the cache is too short.
        """
        self._refuse_full(rows.shape[0])
        first = dict(inputs)
        position = int(first.pop("position")[0])
        for name, array in first.items():
            self.buffers.put(name, array)
        self.cached = rows.shape[0]
        self.set_state(-1, position, self.cached, 0)
        masked = ((0, 0), (0, 0), (0, 0), (0, self.buffers.capacity - bias.shape[3]))
        self.buffers.prefill(np.ascontiguousarray(rows), np.pad(bias, masked))

    def set_state(self, token: int, position: int, cached: int, step: int) -> None:
        """What the next step begins from, in place of what the last one left.

        Args:
            token: whose row is the next one; -1 if rows are given.
            position: of that token.
            cached: positions in the cache after the step.
            step: number of the token that the step makes.
        """
        self.buffers.put("state", np.array([token, position, cached, step], np.int64))

    def step(self, count: int = 1) -> None:
        """Begin to make so many more tokens; reading a buffer waits for them.

        Raises:
            SettingError: the cache is full; a device would write nothing, and report nothing.
        """
        self._refuse_full(self.cached + count)
        self.cached += count
        if count:
            self._steps(count)

    def _refuse_full(self, rows: int) -> None:
        if rows > self.buffers.capacity:
            raise SettingError(
                f"max_len: {rows} rows do not fit into the {self.buffers.capacity} of the cache;"
                " cut the text or build a longer max_len"
            )

    def _tried(self) -> Callable[[int], None]:
        """Do a made-up step both ways; how steps are done."""
        buffers = self.buffers
        before = _made_up(buffers.vocabulary)
        self._restore(before)
        buffers.eager_steps(1)
        eager = {name: buffers.get(name) for name in COMPARED}
        self._restore(before)
        self.eager_because = buffers.capture()
        if not self.eager_because:
            self._restore(before)
            buffers.replay(1)
            apart = [name for name in COMPARED if not _alike(eager[name], buffers.get(name))]
            if not apart:
                return buffers.replay
            self.eager_because = f"a CUDA graph replay gives another {', '.join(apart)}"
        logging.warning("steps are eager, not CUDA graph replays: %s", self.eager_because)
        return buffers.eager_steps

    def _restore(self, inputs: Mapping[str, Array]) -> None:
        for name, array in inputs.items():
            self.buffers.put(name, array)


def _made_up(vocabulary: int) -> dict[str, Array]:
    """Inputs of a step after a prompt of one row: token 0 is at position 0."""
    one = np.ones(1, np.float32)
    return {
        "state": np.array([0, 0, 1, 0], np.int64),
        "used": np.zeros((1, vocabulary), np.float32),
        "history": np.zeros(BLOCK_TOKENS, np.int64),
        "noise": np.ones((BLOCK_TOKENS, vocabulary), np.float32),
        "temperature": one,
        "top_p": one,
        "penalty": one,
        "top_k": np.array([vocabulary], np.int64),
    }


def _alike(one: Array, other: Array) -> bool:
    if np.issubdtype(one.dtype, np.integer):
        return bool((one == other).all())
    return bool(np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE))


def checked(name: str, array: Array, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """An array as a device may read it, contiguous; never converted.

    Raises:
        GraphError: of another dtype or shape; libraries would reinterpret its bytes in silence.
    """
    fits = len(array.shape) == len(shape) and all(
        wanted in (-1, found) for found, wanted in zip(array.shape, shape, strict=True)
    )
    if array.dtype != dtype or not fits:
        raise GraphError(
            f"'{name}' is {array.dtype} {list(array.shape)}, the graph wants {dtype} {list(shape)}"
        )
    return np.ascontiguousarray(array)
