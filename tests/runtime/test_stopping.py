"""Work ends soon after somebody stops it: another thread, an event, a cancelled task, a close."""

import asyncio
import gc
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from functools import partial

import numpy as np
import pytest

from runtime import AudioChunk, Settings, Voice
from runtime.asynchronous import chunks_in_thread
from runtime.errors import SettingError, Stopped, TextError, UsageError
from runtime.speech import SpeechStream, Stop
from tests import bundles
from tests.runtime.watched_voice import Watch, watched

TIMES = 50
TEXT = "HH AH0 L OW1 W ER1 L D ."
SETTINGS = Settings(as_phones=True, seed=7, pause_ms=0)  # of 51 tokens
FLAT_BYTES = 200_000  # what 45 stopped requests may leave behind; a request's cache takes more


@pytest.fixture(scope="module")
def opened() -> tuple[Voice, Watch]:
    voice, watch = watched(bundles.brief())
    voice.warm_up()
    return voice, watch


@pytest.fixture
def voice(opened: tuple[Voice, Watch]) -> Voice:
    return opened[0]


@pytest.fixture
def watch(opened: tuple[Voice, Watch]) -> Iterator[Watch]:
    """As if nothing had happened before, and nothing unfinished left behind."""
    found = opened[1]
    found.runs.clear()
    found.tokens, found.on_token = 0, lambda: None
    yield found
    found.on_token = lambda: None
    assert found.open == 0


def at_token(watch: Watch, number: int, call: Callable[[], object]) -> None:
    """Have another thread call something, and return, while this token is being made."""
    wanted = watch.tokens + number

    def act() -> None:
        if watch.tokens == wanted:
            other = threading.Thread(target=call)
            other.start()
            other.join()

    watch.on_token = act


class Flat:
    """Threads and memory, before and after."""

    def __init__(self) -> None:
        self.threads = threading.active_count()
        self.sizes: dict[int, int] = {}

    def note(self, number: int) -> None:
        if number in (4, TIMES - 1):
            gc.collect()
            self.sizes[number] = tracemalloc.get_traced_memory()[0]

    def check(self) -> None:
        assert threading.active_count() == self.threads
        growth = self.sizes[TIMES - 1] - self.sizes[4]
        assert growth < FLAT_BYTES, f"{growth} bytes more than after five"


@pytest.fixture
def flat() -> Iterator[Flat]:
    tracemalloc.start()
    try:
        yield Flat()
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("way", ["stream", "sentences"])
def test_fifty_streams_are_closed_by_another_thread_within_a_token(
    voice: Voice, watch: Watch, flat: Flat, way: str
) -> None:
    for number in range(TIMES):
        watch.tokens = 0
        watch.runs.clear()
        stream = getattr(voice, way)(TEXT, SETTINGS)
        at_token(watch, 1 + number, stream.close)
        chunks = list(stream)
        assert watch.tokens == 1 + number
        assert watch.open == 0
        assert not any(chunk.last for chunk in chunks)
        assert watch.runs["vocoder"] == len(chunks)
        assert way == "stream" or not chunks
        del chunks, stream
        flat.note(number)
    flat.check()


def test_a_stop_between_the_last_token_and_the_sound_leaves_the_sound_out(
    voice: Voice, watch: Watch
) -> None:
    stream = voice.sentences(TEXT, SETTINGS)
    at_token(watch, 51, stream.close)
    assert list(stream) == []
    assert (watch.tokens, watch.runs["prior"], watch.runs["vocoder"]) == (51, 0, 0)


def test_an_event_ends_whole_sentences_too(voice: Voice, watch: Watch) -> None:
    stop = threading.Event()
    at_token(watch, 9, stop.set)
    with pytest.raises(Stopped, match=r"^speech: stopped by its caller$"):
        voice.synthesize(TEXT, SETTINGS, stop=stop)
    assert (watch.tokens, watch.open, watch.runs["vocoder"]) == (9, 0, 0)
    assert list(voice.stream(TEXT, SETTINGS, stop=stop)) == []
    with pytest.raises(Stopped):
        voice.synthesize(TEXT, SETTINGS, stop=stop)
    assert watch.tokens == 9


def test_what_is_stopped_leaves_the_next_request_as_it_is(voice: Voice, watch: Watch) -> None:
    whole = voice.synthesize(TEXT, SETTINGS).pcm
    stream = voice.stream(TEXT, SETTINGS)
    at_token(watch, 30, stream.close)
    list(stream)
    watch.on_token = lambda: None
    assert voice.synthesize(TEXT, SETTINGS).pcm == whole


def test_a_stream_that_waits_is_closed_at_once_and_stays_closed(voice: Voice, watch: Watch) -> None:
    with voice.stream(TEXT, SETTINGS) as stream:
        next(stream)
        assert watch.open == 1
    assert watch.open == 0
    stream.close()
    assert next(stream, None) is None


def test_an_error_in_a_stream_is_raised_and_ends_it(voice: Voice, watch: Watch) -> None:
    def fail() -> None:
        raise MemoryError

    watch.on_token = fail
    stream = voice.stream(TEXT, SETTINGS)
    with pytest.raises(MemoryError):
        next(stream)
    assert next(stream, None) is None


def test_two_threads_that_share_a_stream_get_each_chunk_once(voice: Voice, watch: Watch) -> None:
    alone = [chunk.start for chunk in voice.stream(TEXT, SETTINGS)]
    stream, got = voice.stream(TEXT, SETTINGS), []
    threads = [threading.Thread(target=lambda: got.extend(stream)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(chunk.start for chunk in got) == alone


def test_fifty_tasks_are_cancelled_within_a_token(voice: Voice, watch: Watch, flat: Flat) -> None:
    async def listen(begun: asyncio.Event) -> None:
        async for _ in voice.astream(TEXT, SETTINGS, first_chunk_tokens=2, lookahead_tokens=6):
            begun.set()

    async def cancel(number: int) -> None:
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(listen(begun))
        if number % 2:
            at_token(watch, 1 + number // 2, lambda: loop.call_soon_threadsafe(task.cancel))
        else:
            await begun.wait()
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert watch.open == 0

    async def all_of_them() -> None:
        for number in range(TIMES):
            watch.tokens, watch.on_token = 0, lambda: None
            await cancel(number)
            flat.note(number)

    asyncio.run(all_of_them())
    flat.check()


def test_a_task_gets_the_chunks_of_the_stream(voice: Voice, watch: Watch) -> None:
    async def all_chunks() -> list[AudioChunk]:
        return [chunk async for chunk in voice.astream(TEXT, SETTINGS)]

    threads = threading.active_count()
    found, wanted = asyncio.run(all_chunks()), list(voice.stream(TEXT, SETTINGS))
    assert [chunk.samples.tobytes() for chunk in found] == [c.samples.tobytes() for c in wanted]
    assert threading.active_count() == threads


def test_a_task_that_leaves_the_loop_stops_the_work(voice: Voice, watch: Watch) -> None:
    async def leave() -> None:
        async with aclosing(voice.astream(TEXT, SETTINGS, ahead=1)) as chunks:
            async for _ in chunks:
                break
        assert watch.open == 0
        assert watch.tokens < 51

    asyncio.run(leave())


def test_what_is_refused_is_raised_in_the_task(voice: Voice, watch: Watch) -> None:
    async def first(text: str) -> AudioChunk:
        return await anext(aiter(voice.astream(text, SETTINGS)))

    with pytest.raises(TextError, match=r"^phones: "):
        asyncio.run(first("QQ"))
    for wrong in ({"speed": 9}, {"ahead": 0}):
        with pytest.raises(SettingError, match=f"^{next(iter(wrong))}: "):
            voice.astream(TEXT, SETTINGS, **wrong)
    assert watch.tokens == 0


@pytest.mark.parametrize("ahead", [1, 3])
def test_the_thread_rests_while_chunks_wait_to_be_read(ahead: int) -> None:
    made = 0

    def chunks() -> Iterator[AudioChunk]:
        nonlocal made
        for number in range(40):
            made += 1
            yield AudioChunk(np.zeros(1, np.float32), 1, number, np.zeros(0, np.int64), "", False)

    async def read() -> None:
        opened = partial(_stream_of, chunks)
        count = 0
        async for chunk in chunks_in_thread(opened, ahead):
            count += 1
            assert chunk.segment == count - 1
            for _ in range(20):  # let the thread do what it may
                await asyncio.to_thread(int)
            assert made <= count + ahead + 1
        assert count == made == 40

    asyncio.run(read())


def _stream_of(chunks: Callable[[], Iterator[AudioChunk]], stop: threading.Event) -> SpeechStream:
    return SpeechStream((chunk for chunk in chunks()), Stop(stop))


def test_a_closed_voice_stops_its_streams_and_refuses_requests() -> None:
    voice, watch = watched(bundles.brief())
    with voice:
        one, other = voice.stream(TEXT, SETTINGS), voice.sentences(TEXT, SETTINGS)
        next(one)
        at_token(watch, 5, voice.close)
        assert list(other) == []
    assert list(one) == []
    assert watch.open == 0
    voice.close()
    for refused in (voice.synthesize, voice.stream, voice.sentences, voice.parts):
        with pytest.raises(UsageError, match=r"^voice 'v2': it is closed; load it again$"):
            refused(TEXT, SETTINGS)
    with pytest.raises(UsageError, match="it is closed"):
        voice.warm_up()


def test_warming_up_loads_all_that_a_request_needs() -> None:
    voice, watch = watched(bundles.brief())
    voice.warm_up()
    loaded = dict(watch.runs)
    assert loaded["hubert"] == loaded["vocoder"] == 1
    assert watch.tokens < 51
    voice.synthesize(TEXT, SETTINGS)
    assert watch.runs.keys() == loaded.keys()
    assert watch.runs["hubert"] == 1


async def _forget(chunks: AsyncIterator[AudioChunk]) -> None:
    await anext(chunks)


def test_a_reader_that_is_forgotten_stops_the_work(voice: Voice, watch: Watch) -> None:
    threads = threading.active_count()
    asyncio.run(_forget(voice.astream(TEXT, SETTINGS)))
    gc.collect()
    assert threading.active_count() == threads
