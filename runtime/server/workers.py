"""Requests that wait and are worked on: a bounded queue, worker threads, and what they hand over.

The event loop never speaks. A job's work runs in a worker thread and hands bytes over through a
bounded buffer; the event loop sends them. Either side can end the other's part.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable

from runtime import errors
from runtime.errors import FoundryError
from runtime.server.options import LoadOptions
from runtime.server.refusals import Refusal, busy, internal, of_error

BUFFER_BYTES = 1 << 20
REMEMBERED = 32  # service times, to guess how long a place in the queue takes
FIRST_GUESS_S = 2.0
LOG = logging.getLogger(__name__)


class Unwanted(Exception):  # noqa: N818 - it is a wish, not an error
    """The work of a job that is no longer wanted ends with this."""


class Job:
    """One request: its work, and the bytes that come of it.

    Attributes:
        stop: set when the work is no longer wanted; the voice watches it.
        stopped: the same for the event loop.
        reason: why it was stopped; empty while it is wanted.
        refusal: why the work failed; None as long as it did not.
        started_s, first_s, ended_s: seconds since it was handed in; None before.
    """

    def __init__(self, work: Callable[["Job"], None], stall_s: float) -> None:
        self.stop = threading.Event()
        self.reason = ""
        self.refusal: Refusal | None = None
        self.started_s: float | None = None
        self.first_s: float | None = None
        self.ended_s: float | None = None
        self._work = work
        self._stall_s = stall_s
        self._came = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self.stopped = asyncio.Event()
        self._room = threading.Condition()
        self._ready: deque[bytes] = deque()
        self._held = 0
        self._done = False

    @property
    def waited_s(self) -> float:
        """How long it has been there, in seconds."""
        return time.monotonic() - self._came

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._done

    def cancel(self, reason: str) -> None:
        """End the work; what it made and nobody took is dropped."""
        with self._room:
            if self._done or self.stop.is_set():
                return
            self.reason = reason
            self.stop.set()
            self._room.notify_all()
        self._wake()

    def put(self, content: bytes) -> None:
        """Hand bytes over; waits while too many are unread.

        Raises:
            Unwanted: the job is no longer wanted, or nobody reads.
        """
        with self._room:
            free = self._room.wait_for(
                lambda: self.stop.is_set() or self._held < BUFFER_BYTES, self._stall_s
            )
            if not free:
                self.reason = "stall"
                self.stop.set()
                self._wake()
            if self.stop.is_set():
                raise Unwanted
            if self.first_s is None:
                self.first_s = self.waited_s
            self._ready.append(content)
            self._held += len(content)
        self._wake()

    def run(self) -> None:
        """Do the work; called by a worker thread."""
        self.started_s = self.waited_s
        self._wake()
        try:
            if not self.stop.is_set():
                self._work(self)
        except (Unwanted, errors.Stopped):
            pass
        except Refusal as refusal:
            self.refusal = refusal
        except FoundryError as error:
            LOG.info("refused: %s", error)
            self.refusal = of_error(error)
        except Exception:
            LOG.exception("a request failed")
            self.refusal = internal()
        finally:
            self.finish()

    def finish(self) -> None:
        """Nothing more will come."""
        with self._room:
            self._done = True
            self.ended_s = self.waited_s
        self._wake()

    async def next(self) -> bytes | None:
        """The next bytes, as soon as there are some; None at the end, whatever ended it."""
        while True:
            self._changed.clear()
            with self._room:
                if self.stop.is_set():
                    return None
                if self._ready:
                    content = self._ready.popleft()
                    self._held -= len(content)
                    self._room.notify_all()
                    return content
                if self._done:
                    return None
            await self._changed.wait()

    async def start(self) -> None:
        """Wait until a worker takes it, or it has ended."""
        while self.started_s is None and not self._done and not self.stop.is_set():
            self._changed.clear()
            if self.started_s is None and not self._done and not self.stop.is_set():
                await self._changed.wait()

    async def rest(self) -> AsyncIterator[bytes]:
        """All further bytes."""
        while (content := await self.next()) is not None:
            yield content

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits
            self._loop.call_soon_threadsafe(self._changed.set)
            if self.stop.is_set():
                self._loop.call_soon_threadsafe(self.stopped.set)


class Workers:
    """Worker threads and the jobs that wait for them, first come, first served."""

    def __init__(self, options: LoadOptions) -> None:
        self._options = options
        self._ready = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._running: set[Job] = set()
        self._took_s: deque[float] = deque(maxlen=REMEMBERED)
        self._draining = False
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"speaker-{number}", daemon=True)
            for number in range(options.parallel)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many are worked on."""
        return len(self._running)

    @property
    def draining(self) -> bool:
        """Whether no more jobs are taken."""
        return self._draining

    @property
    def full(self) -> bool:
        """Whether one more job would be refused."""
        return self.waiting >= self._options.queue and self.running >= self._options.parallel

    def refuse_if_busy(self) -> None:
        """Say early that a job would not be taken.

        Raises:
            Refusal: 503 while the server shuts down, 429 when the queue is full.
        """
        if self._draining:
            raise busy(503, "shutting_down", "the server is shutting down; ask another", 5)
        if self.full:
            raise busy(429, "queue_full", "too many requests wait; try later", self._wait_s())

    def submit(self, work: Callable[[Job], None]) -> Job:
        """Hand in work; call it in the event loop.

        Raises:
            Refusal: as `refuse_if_busy` does.
        """
        with self._ready:
            self.refuse_if_busy()
            job = Job(work, self._options.stall_s)
            self._waiting.append(job)
            self._ready.notify()
        return job

    async def begin(self, job: Job) -> None:
        """Wait until the job is worked on.

        Raises:
            Refusal: 503 after too long a wait, or when the server shuts down.
        """
        try:
            async with asyncio.timeout(self._options.queue_s):
                await job.start()
        except TimeoutError:
            self.drop(job, "queue_timeout")
        if job.reason == "shutdown":
            raise busy(503, "shutting_down", "the server is shutting down; ask another", 5)
        if job.reason == "queue_timeout":
            raise busy(503, "queue_timeout", "it waited too long; try later", self._wait_s())

    async def first(self, job: Job) -> bytes:
        """The first bytes of a job that was begun.

        Raises:
            Refusal: why there are none.
        """
        try:
            async with asyncio.timeout(self.left_s(job)):
                content = await job.next()
        except TimeoutError:
            job.cancel("timeout")
            content = None
        if content is not None:
            return content
        if job.reason == "timeout":
            raise Refusal(
                504, "timeout", "it took too long; give less text",
                headers={"x-should-retry": "false"},
            )  # fmt: skip
        raise job.refusal or busy(503, "shutting_down", "the request was ended", 5)

    def left_s(self, job: Job) -> float:
        """How long a job that was begun may still take, in seconds."""
        return max(0.0, (job.started_s or 0.0) + self._options.request_s - job.waited_s)

    def drop(self, job: Job, reason: str) -> None:
        """End a job; one that still waits leaves the queue."""
        job.cancel(reason)
        with self._ready:
            if job not in self._waiting:
                return
            self._waiting.remove(job)
        job.finish()

    def drain(self) -> None:
        """Take no more jobs; those that wait are refused, those at work go on."""
        self._draining = True
        for job in list(self._waiting):
            self.drop(job, "shutdown")

    def stop_running(self) -> None:
        """End the jobs at work."""
        for job in list(self._running):
            job.cancel("shutdown")

    def close(self) -> None:
        """End everything and wait for the threads."""
        self.drain()
        with self._ready:
            self._closed = True
            self._ready.notify_all()
        self.stop_running()
        for thread in self._threads:
            thread.join(5)

    def _run(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
                job = self._waiting.popleft()
                self._running.add(job)
            try:
                job.run()
            finally:
                with self._ready:
                    self._running.discard(job)
                    self._took_s.append((job.ended_s or 0.0) - (job.started_s or 0.0))

    def _wait_s(self) -> float:
        took = sum(self._took_s) / len(self._took_s) if self._took_s else FIRST_GUESS_S
        return (self.waiting + 1) * took / self._options.parallel
