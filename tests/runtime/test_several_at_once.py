"""A voice for several users: every request has the bytes that it has alone, and nobody starves."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice

import onnx
import pytest

from runtime import Voice
from runtime.errors import SettingError, Stopped
from runtime.t2s.batch import BatchedDecoder
from tests import bundles
from tests.runtime.test_batch import Watched
from workflow_scripts.engines.decoder import hold_one

TEXT = "[phones=HH AH0 L OW1 W ER1 L D .]"
TEXTS = {
    1: TEXT,
    2: f"{TEXT}[pause=40ms][phones=Y EH1 S !]",
    3: "[phones=W ER1 L D ,]",
    4: f"[phones=HH AH0 L OW1 .]{TEXT}",
}


def spoken(voice: Voice, seed: int, streamed: bool, chunks: int | None = None) -> bytes:
    stream = (voice.stream if streamed else voice.sentences)(TEXTS[1 + seed % 4], seed=seed)
    with closing(stream):
        return b"".join(chunk.int16.tobytes() for chunk in islice(stream, chunks))


def test_requests_beside_each_other_have_the_bytes_of_each_alone() -> None:
    alone = Voice.load(bundles.brief(), threads=1)
    shared = Voice.load(bundles.brief(), threads=1, users=3)
    requests = [(seed, streamed) for seed in range(4) for streamed in (False, True)]
    wanted = {request: spoken(alone, *request) for request in requests}

    def same(turn: int) -> bool:
        request = requests[turn * 7 % len(requests)]
        if turn % 4 == 3:  # leaves in the middle
            found = spoken(shared, *request, chunks=1)
            return wanted[request].startswith(found)
        return spoken(shared, *request) == wanted[request]

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(same, range(16)))


LONG = "[pause=20ms]".join(TEXTS[1 + number % 4] for number in range(6))


@pytest.mark.parametrize(("users", "streamed"), [(2, False), (4, True)])
def test_a_long_text_is_decoded_ahead_in_order_with_the_same_chunks(
    users: int, streamed: bool
) -> None:
    alone = Voice.load(bundles.brief(), threads=1)
    shared = Voice.load(bundles.brief(), threads=1, users=users)
    before = threading.active_count()

    def said(voice: Voice, chunks: int | None = None) -> list[tuple[object, ...]]:
        stream = (voice.stream if streamed else voice.sentences)(LONG, seed=5)
        with closing(stream):
            return [
                (chunk.segment, chunk.int16.tobytes(), chunk.finish_reason, chunk.last)
                for chunk in islice(stream, chunks)
            ]

    wanted = said(alone)
    assert said(shared) == wanted
    assert said(shared, 2) == wanted[:2]  # given up while others are decoded
    assert threading.active_count() == before
    assert said(shared) == wanted


@pytest.mark.parametrize("users", [0, -3])
def test_a_number_of_users_that_is_none_is_refused(users: int) -> None:
    with pytest.raises(SettingError, match=f"users: {users} is below 1; give 1 or more"):
        Voice.load(bundles.brief(), threads=1, users=users)


def test_a_bundle_of_before_speaks_the_same_bytes(
    tmp_path: object, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = bundles.copied(bundles.brief(), tmp_path / "before")  # type: ignore[operator]
    path = bundle / "t2s_decoder.onnx"
    model = onnx.load(path)
    hold_one(model.graph)
    path.unlink()  # a link
    onnx.save(model, path)
    bundles.list_anew(bundle, path.name)
    wanted = spoken(Voice.load(bundles.brief(), threads=1), 2, False)
    assert spoken(Voice.load(bundle, threads=1), 2, False) == wanted
    with caplog.at_level(logging.WARNING):
        shared = Voice.load(bundle, threads=1, users=2)
    assert "the decoder takes no more; build it again" in caplog.text
    with ThreadPoolExecutor(3) as threads:
        assert set(threads.map(lambda _: spoken(shared, 2, False), range(6))) == {wanted}


def test_who_waits_for_a_place_can_be_stopped() -> None:
    voice = Voice.load(bundles.brief(), threads=1, users=2)
    others = [voice.stream(TEXT, seed=seed) for seed in range(2)]
    for stream in others:
        next(stream)  # both places are taken
    waiting = threading.Event()
    voice._open.speaker._decoder._queue = queue = Watched()

    def ask() -> None:
        with pytest.raises(Stopped):
            voice.synthesize(TEXT, seed=3, stop=waiting)

    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(ask)
        assert queue.came.acquire(timeout=60)
        waiting.set()
        asked.result(60)
    for stream in others:
        stream.close()
    assert spoken(voice, 1, streamed=True) == spoken(voice, 1, streamed=True)


def test_one_user_has_the_plain_decoder() -> None:
    voice = Voice.load(bundles.brief(), threads=1)
    assert not isinstance(voice._loaded.speaker._decoder, BatchedDecoder)
