"""KV cache buffers: capacities, growth, and where they lie."""

import mmap

import numpy as np
import pytest

from runtime.errors import MachineError
from runtime.t2s.cache import CAPACITIES, HUGE_PAGE_BYTES, CacheShape, KVCache, capacity_for


@pytest.mark.parametrize(
    ("rows", "limit", "capacity"),
    [(1, 1000, 512), (512, 1000, 512), (513, 1000, 1000), (513, 4096, 1024), (9000, 4096, 4096)],
)
def test_the_smallest_capacity_that_holds_the_rows_is_taken(
    rows: int, limit: int, capacity: int
) -> None:
    assert capacity_for(rows, limit) == capacity


@pytest.mark.parametrize("huge_pages", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_a_grown_cache_holds_the_live_rows_and_zeros_behind_them(
    dtype: str, huge_pages: bool
) -> None:
    if huge_pages and not hasattr(mmap, "MADV_HUGEPAGE"):
        pytest.skip("huge pages stay untried: this system has none")
    shape = CacheShape(3, 2, 8, dtype, huge_pages)
    cache = KVCache(shape, 12)
    for number, buffer in enumerate([*cache.keys, *cache.values]):
        assert not buffer.any()
        buffer[:, :, :5] = number + 1
        buffer[:, :, 5:] = 99  # dead rows are not worth a copy
    cache.live_rows = 5
    grown = cache.grown(20)
    assert (grown.capacity, grown.live_rows) == (20, 5)
    for number, buffer in enumerate([*grown.keys, *grown.values]):
        assert buffer.dtype == dtype
        assert np.unique(buffer[:, :, :5]).tolist() == [number + 1]
        assert not buffer[:, :, 5:].any()


def test_a_row_costs_keys_and_values_of_every_layer() -> None:
    assert CacheShape(24, 16, 32).row_bytes == 98_304
    assert CacheShape(24, 16, 32, "int8").row_bytes == 24_576


def test_on_huge_pages_all_buffers_lie_side_by_side_from_the_beginning_of_a_page() -> None:
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        pytest.skip("huge pages stay untried: this system has none")
    cache = KVCache(CacheShape(2, 2, 8, huge_pages=True), CAPACITIES[0])
    first, *others = (buffer.ctypes.data for buffer in [*cache.keys, *cache.values])
    assert first % HUGE_PAGE_BYTES == 0
    assert others == [first + n * cache.keys[0].nbytes for n in (1, 2, 3)]


def test_a_system_without_huge_pages_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    with pytest.raises(MachineError, match="huge pages: this system has none; leave the option"):
        KVCache(CacheShape(2, 2, 8, huge_pages=True), 12)
