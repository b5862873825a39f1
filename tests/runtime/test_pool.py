"""What is idle stays within its size; what is used belongs to one."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from runtime.pool import Pool


def test_what_was_given_is_taken_again_and_by_one_alone() -> None:
    pool: Pool[bytearray] = Pool()
    first = pool.take(lambda: bytearray(1))
    pool.give(first, 1)
    assert pool.take(lambda: bytearray(2)) is first
    assert pool.take(lambda: bytearray(2)) is not first


def test_the_smallest_that_fits_is_taken() -> None:
    pool: Pool[int] = Pool()
    for size in (4, 2, 8):
        pool.give(size, size)
    assert pool.take(lambda: 0, lambda size: size >= 3) == 4
    assert pool.take(lambda: 0, lambda size: size >= 9) == 0
    assert pool.idle_bytes == 10


def test_the_first_ones_go_where_it_is_too_much_and_the_last_one_stays() -> None:
    pool: Pool[int] = Pool(limit_bytes=10)
    for size in (4, 5, 6):
        pool.give(size, size)
    assert pool.idle_bytes == 6
    pool.give(99, 99)
    assert pool.idle_bytes == 99


def test_many_at_once_leave_no_more_than_the_limit() -> None:
    pool: Pool[np.ndarray] = Pool(limit_bytes=3 * 800)

    def use(number: int) -> bool:
        taken = pool.take(lambda: np.zeros(100))
        taken[:] = number
        alone = bool((taken == number).all())
        pool.give(taken, taken.nbytes)
        return alone

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(use, range(400)))
    assert pool.idle_bytes <= 3 * 800
