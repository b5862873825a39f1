"""Round matrices to integers of 8 or 4 bits, as `com.microsoft.MatMulNBits` reads them."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.variants.distance import TINY
from workflow_scripts.variants.grams import Gram

TOP = 15  # the largest number of 4 bits
SHRINKS = (0.7, 0.8, 0.9, 1.0)  # of a block's range to each side; 4 bits gain from cutting it off
DAMPING = 0.01  # of the mean power: how little is believed of few recorded rows


@dataclass(frozen=True)
class Packed:
    """One weight in integers.

    Attributes:
        numbers: uint8 [N, blocks, bytes of a block]; a byte holds two of 4 bits, the low one first.
        scales: float32 [N * blocks].
        zeros: uint8 [N * bytes of a row's zero points], packed alike; None: the middle.
    """

    numbers: NDArray[np.uint8]
    scales: NDArray[np.float32]
    zeros: NDArray[np.uint8] | None = None


def pack(matrix: NDArray[np.float32], bits: int, block: int, gram: Gram | None = None) -> Packed:
    """Round a matrix to integers, block by block, with the scales that err least.

    Args:
        matrix: float32 [K, N].
        bits: 8, where the zero is the middle, or 4, where each block has its own.
        block: values along K that share a scale; the last block is filled up with zeros.
        gram: float32 [K, K] of what it is multiplied with. In 4 bits the products with that, not
            the numbers themselves, are then kept near; None: nothing is known of it.
    """
    blocks = _in_blocks(matrix, block)
    if bits == 8:
        # the peak lies on the side that has one number more
        peaks = np.take_along_axis(blocks, np.abs(blocks).argmax(-1, keepdims=True), -1)
        steps = np.where(peaks == 0, 1, peaks / np.float32(-128))
        numbers = _rounded(blocks, steps, np.float32(128), 255).astype(np.uint8)
        return Packed(numbers, steps.astype(np.float32).reshape(-1))
    if gram is None:
        steps, zeros = _searched(blocks)
        numbers = _rounded(blocks, steps, zeros, TOP).astype(np.uint8)
    else:
        numbers, steps, zeros = _compensated(blocks, gram)
    row = zeros.astype(np.uint8)[..., 0]
    row = np.pad(row, ((0, 0), (0, row.shape[1] % 2)))
    return Packed(_nibbles(numbers), steps.reshape(-1), _nibbles(row).reshape(-1))


def _compensated(
    blocks: NDArray[np.float32], gram: Gram
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """Numbers, steps and zero points; each value's error is made up for by the later ones.

    Source: the order and the update of "GPTQ" (Frantar and others, 2022), over all rows at once.
    """
    outer, count, block = blocks.shape
    rows = blocks.reshape(outer, count * block).copy()
    spread = _spread(gram, count * block)
    numbers = np.empty(blocks.shape, np.uint8)
    steps, zeros = (np.empty((outer, count, 1), np.float32) for _ in range(2))
    for number in range(count):
        first, end = number * block, (number + 1) * block
        values = rows[:, first:end]
        found = _searched(values[:, None])
        step, zero = (array[:, 0] for array in found)
        errors = np.empty_like(values)
        for i in range(block):
            value = values[:, i : i + 1]
            rounded = _rounded(value, step, zero, TOP)
            error = (value - (rounded - zero) * step) / spread[first + i, first + i]
            values[:, i + 1 :] -= error * spread[first + i, first + i + 1 : end]
            numbers[:, number, i], errors[:, i] = rounded[:, 0], error[:, 0]
        rows[:, end:] -= errors @ spread[first:end, end:]
        steps[:, number], zeros[:, number] = step, zero
    return numbers, steps, zeros


def _spread(gram: Gram, size: int) -> NDArray[np.float32]:
    """How an error is spread over the later values: upper triangular, float32 [size, size]."""
    damped = np.zeros((size, size))
    damped[: len(gram), : len(gram)] = gram
    damped[np.diag_indices(size)] += max(DAMPING * float(np.mean(np.diag(gram))), TINY)
    inverse = np.linalg.inv(damped)
    upper = np.linalg.cholesky((inverse + inverse.T) / 2).T
    return np.asarray(upper, np.float32)


def _searched(
    blocks: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Steps and zero points, float32 [N, blocks, 1] each, of the least squared error that is found.

    Ranges cut off to either side are tried; the best numbers then get the step that suits them.
    """
    low = np.minimum(blocks.min(-1, keepdims=True), 0)
    high = np.maximum(blocks.max(-1, keepdims=True), 0)
    best = np.full(low.shape, np.inf, np.float32)
    steps, zeros = np.ones_like(low), np.zeros_like(low)
    for below, above in product(SHRINKS, SHRINKS):
        span = np.float32(above) * high - np.float32(below) * low
        step = np.where(span == 0, 1, span / np.float32(TOP))
        zero = np.clip(np.rint(-np.float32(below) * low / step), 0, TOP)
        for _ in range(2):
            numbers = _rounded(blocks, step, zero, TOP) - zero
            errors = np.square(numbers * step - blocks).sum(-1, keepdims=True)
            better = errors < best
            best, steps = np.where(better, errors, best), np.where(better, step, steps)
            zeros = np.where(better, zero, zeros)
            weight = np.square(numbers).sum(-1, keepdims=True)
            fitted = (numbers * blocks).sum(-1, keepdims=True) / np.maximum(weight, 1)
            step = np.where(fitted > 0, fitted, step)
    return steps, zeros


def _nibbles(numbers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two numbers of 4 bits to a byte along the last axis, the first one low."""
    return np.asarray(numbers[..., 0::2] | numbers[..., 1::2] << 4, np.uint8)


def _in_blocks(matrix: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """Columns as rows of blocks, float32 [N, blocks, block]."""
    inner, outer = matrix.shape
    blocks = -(-inner // block)
    filled = np.zeros((outer, blocks * block), np.float32)
    filled[:, :inner] = matrix.T
    return filled.reshape(outer, blocks, block)


def _rounded(
    blocks: NDArray[np.float32],
    steps: NDArray[np.float32],
    zeros: NDArray[np.float32] | np.float32,
    top: int,
) -> NDArray[np.float32]:
    """Numbers 0 .. top."""
    return np.asarray(np.clip(np.rint(blocks / steps) + zeros, 0, top), np.float32)
