"""The order of the GPU measurement, and what of it fits into some minutes."""

import pytest

from runtime.errors import UsageError
from workflow_scripts.proof.gpu.plan import PREPARING, Entry, Wanted, entries, listed

EVERY = entries(["hubert", "prior", "vocoder"], ["prior", "vocoder"])


def test_what_the_aims_are_made_of_comes_first_then_each_graph_then_all_else() -> None:
    names = [f"{entry}" for entry in EVERY]
    assert len(set(names)) == len(names)
    graphs = [names.index(f"graphs: {name}") for name in ("hubert", "prior", "vocoder")]
    aims = ("pytorch: fixed cache fp16 with sampler CUDA graph", "speech: fp16")
    assert max(map(names.index, aims)) < min(graphs)
    assert names[0].startswith("loop: ")
    assert "fp16 CUDA graph" in names[0]
    assert names.index("pytorch: prior fp32") < names.index("speech: fp32")
    assert names[-1].startswith("steps: ")


def test_rows_are_chosen_by_words_of_their_names_and_by_arithmetic() -> None:
    found = Wanted(("loop", "prior"), ("fp32",)).chosen(EVERY)
    assert {entry.part for entry in found} == {"loop", "pytorch", "graphs"}
    assert {entry.arithmetic for entry in found} == {"fp32"}
    with pytest.raises(UsageError, match="--only nothing: no row of that name"):
        Wanted(("nothing",)).chosen(EVERY)


def test_a_plan_stays_within_its_minutes() -> None:
    def seconds(rows: list[Entry]) -> float:
        return PREPARING + sum(entry.seconds for entry in rows)

    for minutes in (2, 5, 9):
        fitting = Wanted(minutes=minutes).fitting(EVERY)
        assert 0 < len(fitting) < len(EVERY)
        assert seconds(fitting) <= 60 * minutes
        printed = listed(Wanted(minutes=minutes), EVERY)
        assert f"{len(fitting)} of {len(EVERY)} rows in {seconds(fitting) / 60:.1f} min" in printed
