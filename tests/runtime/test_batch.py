"""Sentences decoded side by side have the tokens that each has alone, whoever comes or goes."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import islice

import numpy as np
import pytest

from runtime.backends import Threads
from runtime.backends.cpu import CpuGraph
from runtime.noise import exponentials
from runtime.pool import IDLE_BYTES
from runtime.t2s.batch import BatchedDecoder, Plan, Sessions
from runtime.t2s.cache import CAPACITIES
from runtime.t2s.request import Finish, Limits, Prompt, TokenSource, sampled
from runtime.t2s.sampler import Sampling
from tests.goldens import t2s_cases
from tests.t2s_models import t2s_decoder, t2s_graphs, t2s_model
from workflow_scripts.graphs.attention import fits_group_query

pytestmark = pytest.mark.golden
CASE = next(
    case
    for case in t2s_cases("single")
    if case["prompts"].size and fits_group_query(t2s_model(case.model).sizes)
)
PHONES = CASE["phoneme_ids"][0]
FEATURES = CASE["bert_feature"][0]


def batched(plan: Plan, graph: Callable[[CpuGraph], CpuGraph] = lambda graph: graph) -> TokenSource:
    alone = t2s_decoder(CASE.model)
    narrow = CpuGraph(t2s_graphs(CASE.model) / "t2s_decoder.onnx", Threads(1))
    return BatchedDecoder(
        alone._embed,
        Sessions(graph(alone._decoder), graph(narrow)),
        alone._tables,
        alone.cache_shape,
        plan,
    )


def tokens(source: TokenSource, number: int, length: int = 30) -> Iterator[int]:
    """Sentence `number`: other phones, another length, another seed."""
    count = 1 + number % PHONES.size
    prompt = Prompt(PHONES[:count], FEATURES[:, :count], CASE["prompts"][0])
    chooser = sampled(Sampling(), partial(exponentials, number, 0))
    limits = Limits(early_stop_tokens=length + number % 7)
    return source.tokens(prompt, chooser, limits, Finish())


def test_one_after_the_other_they_are_those_of_the_plain_decoder() -> None:
    source = batched(Plan(1, 3))
    for number in range(5):
        assert [*tokens(source, number)] == [*tokens(t2s_decoder(CASE.model), number)]


@pytest.mark.parametrize("plan", [Plan(1, 4), Plan(2, 2), Plan(2, 1), Plan(3, 3)], ids=str)
def test_many_at_once_join_leave_and_give_up_and_change_nothing(plan: Plan) -> None:
    source, alone = batched(plan), t2s_decoder(CASE.model)
    wanted = [[*tokens(alone, number)] for number in range(20)]

    def spoken(turn: int) -> bool:
        number, taken = turn % 20, None if turn % 3 else turn % 11
        with closing(tokens(source, number)) as made:  # type: ignore[type-var]
            found = [*islice(made, taken)]
        return found == wanted[number][:taken]

    with ThreadPoolExecutor(plan.workers * plan.places + 3) as threads:
        assert all(threads.map(spoken, range(120)))
    assert all(worker.taken == 0 for worker in source._workers)


def test_a_sentence_that_pauses_holds_nobody_up() -> None:
    source, alone = batched(Plan(1, 3)), t2s_decoder(CASE.model)
    paused = tokens(source, 0)
    begun = [next(paused) for _ in range(5)]
    with ThreadPoolExecutor(2) as threads:
        others = [threads.submit(lambda n=n: [*tokens(source, n)]) for n in (1, 2)]
        assert [other.result(60) for other in others] == [[*tokens(alone, n)] for n in (1, 2)]
    assert [*begun, *paused] == [*tokens(alone, 0)]


class Watched(list):
    """A queue that says when somebody came."""

    def __init__(self) -> None:
        self.came = threading.Semaphore(0)

    def append(self, one: object) -> None:
        super().append(one)
        self.came.release()


def test_more_than_there_are_places_wait_and_come_in_their_order() -> None:
    source = batched(Plan(1, 1))
    source._queue = queue = Watched()
    first, order, threads = tokens(source, 0), [], []
    next(first)
    queue.came.acquire()
    for number in (1, 2, 3):
        work = threading.Thread(target=lambda n=number: order.append((n, [*tokens(source, n)])))
        work.start()
        threads.append(work)
        assert queue.came.acquire(timeout=60)
    assert not order
    rest = [*first]
    for work in threads:
        work.join(60)
    assert rest
    assert [number for number, _ in order] == [1, 2, 3]


def test_the_cache_grows_for_all_without_changing_a_token() -> None:
    source, alone = batched(Plan(1, 2)), t2s_decoder(CASE.model)
    length = CAPACITIES[0]
    with ThreadPoolExecutor(2) as threads:
        made = threads.map(lambda n: [*tokens(source, n, length)], (3, 4))
        assert [*made] == [[*tokens(alone, n, length)] for n in (3, 4)]


def test_memory_is_bounded_and_handed_back() -> None:
    source = batched(Plan(2, 2))
    assert source.most_bytes(1000) == 4 * 1000 * source.cache_shape.row_bytes
    with ThreadPoolExecutor(4) as threads:
        [*threads.map(lambda n: [*tokens(source, n)], range(12))]
    assert sum(worker._slots.size_bytes for worker in source._workers) <= IDLE_BYTES
    for worker in source._workers:
        worker._idle_bytes = 0
    [*tokens(source, 0)]
    assert min(worker._slots.size_bytes for worker in source._workers) == 0


class Failing(CpuGraph):
    """A graph whose runs fail while a test wants it."""

    def __init__(self, graph: CpuGraph) -> None:
        self.__dict__.update(graph.__dict__)
        self.fails = False

    def binding(self) -> object:
        made, run = super().binding(), super().binding

        class Bound(type(made)):
            def run(bound) -> None:
                if self.fails:
                    raise RuntimeError("out of order")
                super().run()

        assert run
        made.__class__ = Bound
        return made


def test_a_run_that_fails_is_told_to_all_in_it_and_the_next_sentence_is_fine() -> None:
    source, alone = batched(Plan(1, 2), Failing), t2s_decoder(CASE.model)
    one, other = tokens(source, 0), tokens(source, 1)
    next(one), next(other)
    source._sessions.wide.fails = source._sessions.narrow.fails = True

    def failed(made: Iterator[int]) -> bool:
        with pytest.raises(RuntimeError, match="out of order"):
            next(made)
        return True

    with ThreadPoolExecutor(2) as threads:
        assert all(threads.map(failed, (one, other)))
    source._sessions.wide.fails = source._sessions.narrow.fails = False
    assert [*tokens(source, 2)] == [*tokens(alone, 2)]


class Shaking(CpuGraph):
    """A graph whose kernels give other bits to more rows than one, as blocks of 128 do."""

    def __init__(self, graph: CpuGraph) -> None:
        self.__dict__.update(graph.__dict__)

    def binding(self) -> object:
        made = super().binding()

        class Bound(type(made)):
            def bind_output(bound, name: str, array: np.ndarray) -> None:
                super().bind_output(name, array)
                if name == "logits":
                    bound.logits = array

            def run(bound) -> None:
                super().run()
                if len(bound.logits) > 1:
                    bound.logits += 1e-3

        made.__class__ = Bound
        return made


def test_where_neighbours_would_change_bits_sentences_run_one_by_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source, alone = batched(Plan(1, 3), Shaking), t2s_decoder(CASE.model)
    assert "gives other bits than one alone" in caplog.text
    with ThreadPoolExecutor(3) as threads:
        made = threads.map(lambda n: [*tokens(source, n)], range(3))
        assert [*made] == [[*tokens(alone, n)] for n in range(3)]


def test_a_decoder_that_takes_one_sentence_is_told_and_still_shared(
    caplog: pytest.LogCaptureFixture,
) -> None:
    alone = t2s_decoder(CASE.model, "scatter")
    sessions = Sessions(alone._decoder, alone._decoder)
    source = BatchedDecoder(alone._embed, sessions, alone._tables, alone.cache_shape, Plan(2, 2))
    assert "the decoder takes no more" in caplog.text
    with ThreadPoolExecutor(4) as threads:
        made = threads.map(lambda n: [*tokens(source, n)], range(4))
        assert [*made] == [[*tokens(alone, n)] for n in range(4)]


@pytest.mark.parametrize(
    ("users", "cores", "plan"),
    [(1, 2, Plan(1, 1)), (2, 2, Plan(2, 1)), (8, 2, Plan(2, 4)), (3, 8, Plan(3, 1))],
)
def test_users_are_spread_over_cores(users: int, cores: int, plan: Plan) -> None:
    assert Plan.of(users, cores) == plan
