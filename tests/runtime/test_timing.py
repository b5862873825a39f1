"""How measurements are paired; no claim about this machine's speed."""

import numpy as np

from runtime.measure.timing import Spread, Timed, interleaved


def test_every_way_runs_once_a_round_and_warmup_is_dropped() -> None:
    order: list[str] = []
    timed = interleaved(
        {"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3, warmup=1
    )
    assert {name: seconds.size for name, seconds in timed.seconds.items()} == {"a": 3, "b": 3}
    assert order == ["a", "b", "b", "a", "a", "b", "b", "a"]


def test_a_ratio_pairs_the_same_round() -> None:
    timed = Timed({"new": np.array([1.0, 2.0, 4.0]), "old": np.array([2.0, 4.0, 8.0])})
    assert timed.ratio("new", to="old") == Spread(2.0, 2.0, 2.0)
    assert timed.ratio("old", to="new").median == 0.5


def test_quartiles() -> None:
    assert Spread.of(np.arange(5.0)) == Spread(2.0, 1.0, 3.0)
