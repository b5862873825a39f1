"""The answer to a request for speech: its status when the first sound is there, then the sound."""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any, TypeVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from runtime.server import speech
from runtime.server.metrics import Spoken
from runtime.server.refusals import Refusal
from runtime.server.service import Service
from runtime.server.speech import Plan
from runtime.server.workers import Job
from runtime.sound.formats import FORMATS

LEFT = 499  # the client closed the request
Got = TypeVar("Got")


class ClientLeft(Exception):  # noqa: N818 - it is no fault of ours
    """Nobody waits for the answer any more."""


async def answered(request: Request, service: Service, plan: Plan) -> Response:
    """The answer to a request that was checked, as soon as its status is known.

    Raises:
        Refusal: it gets no sound.
    """
    try:
        job = service.workers.submit(speech.work(plan, service.library))
    except Refusal as refusal:
        service.metrics.rejected.labels(refusal.code).inc()
        raise
    gone = asyncio.ensure_future(_left(request))
    note = Note(service, plan, job, request.state.request_id)
    try:
        await _unless(gone, service.workers.begin(job))
        first = await _unless(gone, service.workers.first(job))
    except Refusal as refusal:
        note.write(refusal.status)
        gone.cancel()
        raise
    except (ClientLeft, asyncio.CancelledError) as left:
        service.workers.drop(job, "disconnect" if isinstance(left, ClientLeft) else "shutdown")
        note.write(LEFT)
        gone.cancel()
        if isinstance(left, ClientLeft):
            return Response(status_code=LEFT)
        raise
    return SpeechAnswer(first, job, note, gone)


class SpeechAnswer(Response):
    """Sound as it is made; cut off, without an end, where it fails after its beginning."""

    def __init__(self, first: bytes, job: Job, note: "Note", gone: "asyncio.Future[None]") -> None:
        plan = note.plan
        body = b"" if plan.wire.streamed else first
        super().__init__(body, headers=_headers(plan), media_type=plan.media_type)
        if plan.wire.streamed:
            del self.headers["content-length"]
        self._first, self._job, self._note, self._gone = first, job, note, gone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        status = self.status_code
        stopped = asyncio.ensure_future(self._job.stopped.wait())
        try:
            await _unless(stopped, self._send_all(send))
        except (ClientLeft, OSError):
            self._job.cancel("disconnect")
        except TimeoutError:
            self._job.cancel("timeout")
        except asyncio.CancelledError:
            self._job.cancel("shutdown")
            raise
        finally:
            self._gone.cancel()
            stopped.cancel()
            self._job.cancel("disconnect")
            self._note.write(status)

    async def _send_all(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        streamed = self._note.plan.wire.streamed
        await send({"type": "http.response.body", "body": self._first, "more_body": streamed})
        if not streamed:
            await self._job.next()  # its end, else it would count as given up
            return
        left_s = self._note.service.workers.left_s(self._job)
        async with asyncio.timeout(left_s):
            while (content := await _unless(self._gone, self._job.next())) is not None:
                message = {"type": "http.response.body", "body": content, "more_body": True}
                await _unless(self._gone, send(message))
        if self._job.refusal and self._note.plan.wire.events:
            content = speech.event("error", error=self._job.refusal.error)
            await send({"type": "http.response.body", "body": content, "more_body": True})
        if not self._job.refusal and not self._job.reason:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class Note:
    """What is written down of a request, once."""

    def __init__(self, service: Service, plan: Plan, job: Job, request_id: str) -> None:
        """Know of it; nothing is written yet."""
        self.service, self.plan = service, plan
        self._job, self._id = job, request_id
        self._written = False

    def write(self, status: int) -> None:
        """Count it and log it."""
        if self._written:
            return
        self._written = True
        plan, job, made = self.plan, self._job, self.plan.made
        done = Spoken(
            api=plan.api, voice=plan.bundle.id, format=plan.wire.format, mode=plan.wire.mode,
            status=status, reason=job.reason, characters=len(plan.text), tokens=made.tokens,
            audio_s=made.seconds, queue_s=job.started_s, first_s=job.first_s,
            total_s=job.waited_s, truncated=made.truncated,
        )  # fmt: skip
        self.service.note(done, plan.text, self._id)


def _headers(plan: Plan) -> dict[str, str]:
    if plan.timed:
        return {"X-Seed": str(plan.seed), "Cache-Control": "no-store"}
    suffix = FORMATS[plan.wire.format].suffixes[0]
    found = {
        "X-Sample-Rate": str(plan.rate),
        "X-Voice": quote(plan.bundle.id),
        "X-Seed": str(plan.seed),
        "X-Mode": plan.wire.mode,
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
        "Content-Disposition": f'inline; filename="speech{suffix}"',
    }
    if not plan.wire.streamed and plan.made.truncated:
        found["X-Truncated"] = "1"
    return found


async def _left(request: Request) -> None:
    """Ends when the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _unless(gone: "asyncio.Future[Any]", wanted: Awaitable[Got]) -> Got:
    """What was waited for.

    Raises:
        ClientLeft: the client left before it.
    """
    task = asyncio.ensure_future(wanted)
    both: set[asyncio.Future[Any]] = {task, gone}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientLeft
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
