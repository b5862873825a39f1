"""Several sentences decoded at once, each with the bytes that it has alone.

A worker has some places side by side and makes a step of all that are ready in one run. There are
no threads here: the thread that asks for a token runs the step for whoever waits beside it. A
sentence keeps its place; whoever pauses is left out; on leaving, the last one moves into the hole.
Tokens depend on a sentence's own logits and noise, and a run's kernels give the same bits for
every number of rows, so neighbours change nothing. `stable_places` makes sure of the latter.
"""

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from runtime.arrays import Float32, Logits
from runtime.backends import GraphRunner
from runtime.backends.cpu import CpuGraph
from runtime.errors import GraphError, Stopped
from runtime.pool import IDLE_BYTES
from runtime.t2s.cache import CacheShape
from runtime.t2s.request import (
    Chooser,
    Finish,
    Limits,
    Prompt,
    decoded,
    most_rows,
    prefill_inputs,
)
from runtime.t2s.slots import Slots
from runtime.t2s.step_tables import StepTables

TRIAL_ROWS = 40
ASKED_AGAIN_S = 0.05  # how often who waits for a place asks whether it is still wanted
STRAGGLERS_S = 0.001  # how long a step waits for sentences whose last token was just made
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sessions:
    """The same decoder twice.

    Attributes:
        wide: with all threads, for a sentence that is alone.
        narrow: with one thread, run by several workers at once.
    """

    wide: CpuGraph
    narrow: CpuGraph


@dataclass(frozen=True)
class Plan:
    """How many sentences are decoded at once.

    Attributes:
        workers: runs at a time.
        places: sentences of each run.
    """

    workers: int
    places: int

    @classmethod
    def of(cls, users: int, cores: int) -> "Plan":
        """For so many sentences on so many cores."""
        workers = max(1, min(users, cores))
        return cls(workers, -(-users // workers))


@dataclass(eq=False)
class _Seat:
    """A sentence in a worker.

    Attributes:
        place: its number there.
        ready: whether it waits for a step.
        paused: whether the last step did not wait for it.
        logits: float32 [V], of its last row.
        fault: what its step ended with.
    """

    place: int
    ready: bool = False
    paused: bool = False
    logits: Logits = field(default_factory=lambda: np.zeros(0, np.float32))
    fault: BaseException | None = None


class _Worker:
    """Places that are stepped together; one thread at a time runs."""

    def __init__(self, slots: Slots, together: int, idle_bytes: int) -> None:
        self._slots = slots
        self._together = together  # places in one run
        self._idle_bytes = idle_bytes
        self._seats: list[_Seat] = []  # by place, without holes
        self._turn = threading.Condition()
        self._running = False
        self._owes_step = False  # those who wait come before another prefill
        self._since = 0.0  # when the first of those who wait began to

    @property
    def taken(self) -> int:
        """Places in use."""
        return len(self._seats)

    def enter(self) -> _Seat:
        """Take the next place; the caller has made sure that there is one."""
        with self._turn:
            seat = _Seat(len(self._seats))
            self._seats.append(seat)
            seat.paused = True  # until its prefill is done nobody waits for it
            return seat

    def leave(self, seat: _Seat) -> None:
        """Free a place; the last sentence moves there."""
        with self._turn:
            self._turn.wait_for(lambda: not self._running)
            last = self._seats.pop()
            if last is not seat:
                self._slots.move(last.place, seat.place)
                self._seats[seat.place] = last
                last.place = seat.place
            if not self._seats and self._slots.size_bytes > self._idle_bytes:
                self._slots.release()
            self._turn.notify_all()

    def prefill(
        self, seat: _Seat, graph: CpuGraph, inputs: tuple[Float32, Float32], room: tuple[int, int]
    ) -> Logits:
        """Fill a sentence's place; the worker's others wait so long, once between two steps."""
        with self._alone():
            self._slots.reserve(*room)
            logits = self._slots.prefill(graph, seat.place, *inputs)
            seat.paused = False
            return logits

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._turn:
            self._turn.wait_for(
                lambda: not self._running and not (self._owes_step and self._waiting)
            )
            self._running = True
        try:
            yield
        finally:
            with self._turn:
                self._running, self._owes_step = False, True
                self._since = time.monotonic()
                self._turn.notify_all()

    @property
    def _waiting(self) -> bool:
        return any(seat.ready for seat in self._seats)

    def step(self, seat: _Seat, graph: CpuGraph, row: tuple[int, int], limit: int) -> Logits:
        """Logits [V] after one more token and its position, together with whoever is ready."""
        with self._turn:
            self._slots.put_row(seat.place, *row)
            if not self._waiting:
                self._since = time.monotonic()
            seat.ready, seat.paused = True, False
            self._turn.notify_all()
            while seat.ready:
                if self._running:
                    self._turn.wait()
                elif (left := self._left()) > 0:
                    self._turn.wait(left)
                else:
                    self._run(graph, limit)
            if seat.fault is not None:
                raise seat.fault
            return seat.logits

    def _left(self) -> float:
        """Seconds that those who are ready still wait for the others."""
        if all(seat.ready or seat.paused for seat in self._seats):
            return 0.0
        return self._since + STRAGGLERS_S - time.monotonic()

    def _run(self, graph: CpuGraph, limit: int) -> None:
        """One step of all that are ready; the lock is let go meanwhile."""
        ready = [seat for seat in self._seats if seat.ready]
        for seat in self._seats:
            seat.paused = not seat.ready
        self._running = True
        self._turn.release()
        fault: BaseException | None = None
        try:
            cached = max(int(self._slots.cached[seat.place]) for seat in ready)
            self._slots.reserve(cached + 1, limit)
            for first, end in _runs([seat.place for seat in ready], self._together):
                self._slots.step(graph, first, end)
        except Exception as error:  # everyone who waits has to hear of it
            fault = error
        except BaseException:
            fault = GraphError("decoder: a step was interrupted; speak again")
            raise
        finally:
            self._turn.acquire()
            self._running = self._owes_step = False
            for seat in ready:
                seat.ready, seat.fault = False, fault
                seat.logits = self._slots.logits[seat.place].copy()
            self._turn.notify_all()


@dataclass(frozen=True)
class _Running:
    """One sentence in its place.

    Attributes:
        worker, seat: where.
        graph: which session runs next.
        inputs: of the prefill.
        room: cache rows that it hardly passes, and that it has at most.
    """

    worker: _Worker
    seat: _Seat
    graph: Callable[[], CpuGraph]
    inputs: tuple[Float32, Float32]
    room: tuple[int, int]

    def prefill(self) -> Logits:
        """Logits [V] after the prompt."""
        return self.worker.prefill(self.seat, self.graph(), self.inputs, self.room)

    def step(self, token: int, position: int) -> Logits:
        """Logits [V] after one more token."""
        return self.worker.step(self.seat, self.graph(), (token, position), self.room[1])


def _runs(places: Sequence[int], together: int) -> list[tuple[int, int]]:
    """Places, ascending, in runs of neighbours of at most `together`."""
    found: list[tuple[int, int]] = []
    for place in places:
        if found and found[-1][1] == place and place - found[-1][0] < together:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    return found


class BatchedDecoder:
    """The T2S graphs of one voice for several sentences at once; safe from any thread.

    Attributes:
        cache_shape: of each sentence's cache.
        plan: how many there are at most; more wait their turn, first come first served.
    """

    def __init__(
        self,
        embed: GraphRunner,
        sessions: Sessions,
        tables: StepTables,
        shape: CacheShape,
        plan: Plan,
    ) -> None:
        self._embed = embed
        self._sessions = sessions
        self._tables = tables
        self.cache_shape = shape
        self.plan = plan
        together = stable_places(sessions, Trial.of(tables, shape, plan.places))
        idle = IDLE_BYTES // plan.workers
        self._workers = [
            _Worker(Slots(shape, tables, plan.places), together, idle) for _ in range(plan.workers)
        ]
        self._free = threading.Condition()
        self._queue: list[object] = []

    @property
    def vocabulary(self) -> int:
        """V, the end token included."""
        return int(self._tables.audio_embedding.shape[0])

    def most_bytes(self, max_len: int) -> int:
        """What all caches take at most."""
        return self.plan.workers * self.plan.places * max_len * self.cache_shape.row_bytes

    def tokens(
        self, prompt: Prompt, choose: Chooser, limits: Limits, finish: Finish
    ) -> Generator[int, None, None]:
        """Semantic tokens one by one, as `Decoder.tokens` gives them; waits for a free place.

        Raises:
            Stopped: nobody wants them any more, before there was a place.
        """
        limits.room(prompt)
        inputs = prefill_inputs(self._embed, prompt)
        room = (most_rows(prompt, limits), limits.max_len)
        with self._admitted(finish.unwanted) as (worker, seat):
            running = _Running(worker, seat, self._graph, inputs, room)
            yield from decoded(prompt, choose, limits, finish, running)

    def _graph(self) -> CpuGraph:
        """All threads for a worker that is alone; both give the same bits."""
        busy = sum(worker.taken > 0 for worker in self._workers)
        return self._sessions.wide if busy <= 1 else self._sessions.narrow

    @contextmanager
    def _admitted(self, unwanted: Callable[[], bool]) -> Iterator[tuple[_Worker, _Seat]]:
        """A place in the worker that has most room, in the order of asking."""
        ticket = object()
        with self._free:
            self._queue.append(ticket)
            try:
                worker = self._room()
                while worker is None or self._queue[0] is not ticket:
                    if unwanted():
                        raise Stopped("speech: stopped while it waited for a place")
                    self._free.wait(ASKED_AGAIN_S)
                    worker = self._room()
                seat = worker.enter()
            finally:
                self._queue.remove(ticket)
                self._free.notify_all()
        try:
            yield worker, seat
        finally:
            with self._free:
                worker.leave(seat)
                self._free.notify_all()

    def _room(self) -> _Worker | None:
        worker = min(self._workers, key=lambda one: one.taken)
        return worker if worker.taken < self.plan.places else None


def stable_places(sessions: Sessions, trial: "Trial") -> int:
    """How many sentences may share a run on this machine: all, or 1 if that would change bits.

    Steps over drawn rows are run alone and together, in each number of places.
    """
    places = len(trial.lengths)
    if places == 1:
        return 1
    if not sessions.narrow.is_dynamic("live_rows", 0):
        LOG.warning("sentences are decoded one by one: the decoder takes no more; build it again")
        return 1
    alone = trial.logits(sessions.wide, 1)
    for together in range(2, places + 1):
        if not np.array_equal(alone, trial.logits(sessions.narrow, together)):
            LOG.warning(
                "sentences are decoded one by one: on this machine a step of %d gives other bits"
                " than one alone; int8 weights need blocks of 64 or less, int4 of 32 or less",
                together,
            )
            return 1
    return places


@dataclass(frozen=True)
class Trial:
    """Drawn rows to run steps over.

    Attributes:
        tables, shape: of the voice.
        lengths: cache rows of each place.
    """

    tables: StepTables
    shape: CacheShape
    lengths: Sequence[int]

    @classmethod
    def of(cls, tables: StepTables, shape: CacheShape, places: int) -> "Trial":
        """Each place a little longer than the one before."""
        return cls(tables, shape, [TRIAL_ROWS + 3 * place for place in range(places)])

    def logits(self, graph: CpuGraph, together: int) -> Float32:
        """Of two steps, float32 [2, S, V], so many places to a run."""
        generator = np.random.default_rng(0)
        places = range(len(self.lengths))
        slots = Slots(self.shape, self.tables, len(places))
        slots.draw(self.lengths, generator)
        found = []
        for step in range(2):
            drawn = generator.integers(0, self.tables.audio_embedding.shape[0] - 1, len(places))
            for place, token in zip(places, drawn.tolist(), strict=True):
                slots.put_row(place, token, step)
            for first, end in _runs(places, together):
                slots.step(graph, first, end)
            found.append(slots.logits.copy())
        return np.stack(found)
