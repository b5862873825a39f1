"""Random numbers that depend on a seed and a place alone, the same in any process and any order.

A counter-based generator (Philox, 64 bits, four words a counter) lets any frame or step be drawn
without drawing what comes before it, so that chunks of a stream see the noise of the whole.
"""

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import Float32
from runtime.loop_numbers import DrawNumbers

WORDS_PER_COUNTER = 4
TOKENS, FRAMES = DrawNumbers.tokens_key, DrawNumbers.frames_key  # what the numbers are for


def exponentials(seed: int, segment: int, step: int, count: int) -> Float32:
    """Exponential(1) draws of one decode step, all above 0.

    Args:
        seed: of the request.
        segment: number of the sentence.
        step: number of the decode step.
        count: how many, the vocabulary.

    Returns:
        float32 [count].
    """
    words = _words(seed, TOKENS, segment, step, 1, count)
    return (-np.log(_uniform(words[0, :count]))).astype(np.float32)


def normals(seed: int, segment: int, first: int, frames: int, width: int) -> Float32:
    """Standard normal noise of latent frames `first` .. `first + frames - 1`, float32 [1, I, N].

    Two draws a pair by the polar form of Box and Muller.
    """
    half = -(-width // 2)
    uniform = _uniform(_words(seed, FRAMES, segment, first, frames, 2 * half)[:, : 2 * half])
    radius = np.sqrt(-2.0 * np.log(uniform[:, :half]))
    angle = 2.0 * np.pi * uniform[:, half:]
    rows = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], 1)[:, :width]
    return np.ascontiguousarray(rows.T[None], np.float32)


def _words(
    seed: int, purpose: int, segment: int, first: int, rows: int, width: int
) -> NDArray[np.uint64]:
    """Rows `first` .. of an endless table of 64-bit words, [rows, width rounded up to 4]."""
    counters = -(-width // WORDS_PER_COUNTER)
    generator = np.random.Philox(
        key=np.array([seed, purpose], np.uint64),
        counter=np.array([first * counters, segment, 0, 0], np.uint64),
    )
    words: NDArray[np.uint64] = generator.random_raw(rows * counters * WORDS_PER_COUNTER)
    return words.reshape(rows, -1)


def _uniform(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """53 random bits as a number in (0, 1)."""
    return ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
