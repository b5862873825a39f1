"""A stream for asyncio: a thread of its own does the work, some chunks ahead of the reader."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import closing, suppress
from functools import partial

from runtime.speech import AudioChunk, SpeechStream

Opener = Callable[[threading.Event], SpeechStream]


async def chunks_in_thread(opened: Opener, ahead: int) -> AsyncGenerator[AudioChunk, None]:
    """Chunks of a stream that a thread makes.

    Args:
        opened: makes the stream, in the thread; the event that it gets stops it.
        ahead: chunks that may wait for the reader; the thread rests while so many do.
    """
    work = _Work(opened, ahead)
    thread = threading.Thread(target=work.run, name="voice stream", daemon=True)
    thread.start()
    try:
        while True:
            made = await work.made.get()
            work.room.release()
            if isinstance(made, BaseException):
                raise made
            if made is None:
                return
            yield made
    finally:
        work.give_up()
        await work.ended.wait()
        thread.join()  # it has nothing left to do


class _Work:
    """What the thread and the reader share.

    Attributes:
        made: chunks, then None or what went wrong.
        room: how many more chunks may wait.
        ended: set when the thread will touch nothing more.
    """

    def __init__(self, opened: Opener, ahead: int) -> None:
        self.made: asyncio.Queue[AudioChunk | BaseException | None] = asyncio.Queue()
        self.room = threading.Semaphore(ahead)
        self.ended = asyncio.Event()
        self._opened = opened
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()

    def run(self) -> None:
        """Speak, in the thread."""
        last: BaseException | None = None
        try:
            with closing(self._opened(self._stop)) as stream:
                for chunk in stream:
                    self.room.acquire()
                    if self._stop.is_set():
                        break
                    self._tell(partial(self.made.put_nowait, chunk))
        except BaseException as error:
            last = error
        self._tell(partial(self.made.put_nowait, last))
        self._tell(self.ended.set)

    def give_up(self) -> None:
        """Let the thread end soon, wherever it is."""
        self._stop.set()
        self.room.release()

    def _tell(self, call: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(call)
