"""What is measured in which order, and how long it takes by estimate: the most telling rows first.

The plan ends when its minutes do; what is left over is reported as not measured.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runtime.errors import UsageError
from workflow_scripts.engines.arithmetic import ARITHMETICS
from workflow_scripts.proof.gpu.steps import Way
from workflow_scripts.proof.gpu.trials import ATTENTIONS

REPLAYED = " CUDA graph"  # behind the name of a row
SAMPLED = " with sampler"
NEEDED_FIRST = "fp16"  # the arithmetic that the aims are for
PARTS = ("loop", "pytorch", "speech", "graphs", "steps")
# seconds of a full-size voice on a data-centre card, guessed; no card has been measured yet
PREPARING = 75.0
SECONDS = {"loop": 11.0, "pytorch": 6.0, "speech": 40.0, "graphs": 6.0, "steps": 11.0}


@dataclass(frozen=True)
class Entry:
    """A row to be.

    Attributes:
        part: one of PARTS.
        name: of the row.
        arithmetic: key of ARITHMETICS.
        attention: of a loop.
        replayed: whether it is a CUDA graph replay, for which a GPU is needed.
        way: of a step.
    """

    part: str
    name: str
    arithmetic: str
    attention: str = ""
    replayed: bool = False
    way: Way | None = None

    @property
    def seconds(self) -> float:
        """How long it takes, by estimate."""
        return SECONDS[self.part]

    def __str__(self) -> str:
        return f"{self.part}: {self.name}"


def entries(graphs: Iterable[str], spoken: Iterable[str]) -> list[Entry]:
    """Every row, the most telling first.

    Args:
        graphs: names of the voice's graphs, the decoder left out.
        spoken: those that PyTorch runs too.
    """
    every = [*_loops(), *_torch_steps(), *(Entry("speech", name, name) for name in ARITHMETICS)]
    every += [Entry("graphs", name, "fp32") for name in graphs]
    every += [Entry("pytorch", f"{name} fp32", "fp32") for name in spoken]
    return sorted([*every, *_steps()], key=_rank)


def _rank(entry: Entry) -> int:
    """What the aims are made of; then each graph, beside PyTorch's; then all else."""
    if entry.arithmetic == NEEDED_FIRST and entry.part != "steps":
        return 0
    if entry.part == "graphs" or (entry.part == "pytorch" and "cache" not in entry.name):
        return 1
    return 2 + PARTS.index(entry.part)


def _loops() -> Iterator[Entry]:
    for arithmetic in ARITHMETICS:
        for attention in ATTENTIONS:
            for replayed in (True, False):
                name = f"{attention} {arithmetic}{REPLAYED * replayed}"
                yield Entry("loop", name, arithmetic, attention, replayed)


def _torch_steps() -> Iterator[Entry]:
    for arithmetic in ARITHMETICS:
        yield Entry("pytorch", f"growing cache {arithmetic}", arithmetic)
        for sampler in (SAMPLED, ""):
            for replayed in (True, False):
                name = f"fixed cache {arithmetic}{sampler}{REPLAYED * replayed}"
                yield Entry("pytorch", name, arithmetic, replayed=replayed)


def _steps() -> Iterator[Entry]:
    for attention in ATTENTIONS:
        for arithmetic in ARITHMETICS:
            for aliased in (True, False):
                for replayed in (True, False):
                    way = Way(attention, arithmetic, aliased, replayed)
                    yield Entry("steps", f"{way}", arithmetic, attention, replayed, way)


@dataclass(frozen=True)
class Wanted:
    """What of all is asked for.

    Attributes:
        only: parts, or parts of rows' names; none for everything.
        arithmetics: keys of ARITHMETICS; none for all.
        minutes: that all of it may take.
    """

    only: tuple[str, ...] = ()
    arithmetics: tuple[str, ...] = ()
    minutes: float = 9.0

    def chosen(self, every: list[Entry]) -> list[Entry]:
        """The rows that are asked for, in their order.

        Raises:
            UsageError: none is.
        """
        found = [entry for entry in every if self._asked(entry)]
        if not found:
            raise UsageError(
                f"--only {' '.join(self.only)}: no row of that name; --dry-run lists them"
            )
        return found

    def _asked(self, entry: Entry) -> bool:
        named = not self.only or any(word in f"{entry}" for word in self.only)
        return named and (not self.arithmetics or entry.arithmetic in self.arithmetics)

    def fitting(self, chosen: list[Entry]) -> list[Entry]:
        """Those that fit into the minutes, by estimate."""
        left, found = 60 * self.minutes - PREPARING, []
        for entry in chosen:
            left -= entry.seconds
            if left >= 0:
                found.append(entry)
        return found


def listed(wanted: Wanted, chosen: list[Entry]) -> str:
    """The plan for people: each row with its seconds, and the minutes of all."""
    fitting = wanted.fitting(chosen)
    lines = [f"  {entry.seconds:4.0f} s  {entry}" for entry in fitting]
    total = (PREPARING + sum(entry.seconds for entry in fitting)) / 60
    head = (
        f"{len(fitting)} of {len(chosen)} rows in {total:.1f} minutes by estimate,"
        f" {PREPARING:.0f} s of them to prepare; at most {wanted.minutes:g} minutes"
    )
    return "\n".join([head, *lines, ""])
