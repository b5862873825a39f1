"""Listen, serve, and end in order: no new requests, those under way finish, then the voices go."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Sequence
from types import FrameType

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from runtime.errors import MachineError, SettingError
from runtime.server import app
from runtime.server.options import Options
from runtime.server.service import Service

KEEP_ALIVE_S = 75
HEADER_BYTES = 16 << 10
HIGHEST_PORT = 65535
SEND_BYTES = 128 << 10
LOOK_EVERY_S = 0.05
LOG = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """uvicorn's server, which takes no new work before it ends."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal asks to end, the next one ends at once."""
        if self._service.stopping.is_set():
            super().handle_exit(sig, frame)
        self._service.stopping.set()

    async def end_in_order(self) -> None:
        """When asked to, refuse new requests, let those under way finish, and end."""
        await self._service.stopping.wait()
        self._service.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._service.options.load.drain_s):
                while self._service.workers.running:
                    await asyncio.sleep(LOOK_EVERY_S)
        self._service.workers.stop_running()
        self.should_exit = True


def serve(options: Options, sockets: Sequence[socket.socket]) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        SettingError: a name of the options is of no voice.
    """
    asyncio.run(_serve(options, sockets))


async def _serve(options: Options, sockets: Sequence[socket.socket]) -> None:
    service = Service(options)
    try:
        wrong = service.library.check_default()
        if wrong:
            raise SettingError(wrong)
        server = _Server(_config(service), service)
        service.warm_up()
        ending = asyncio.create_task(server.end_in_order())
        async with contextlib.AsyncExitStack() as stack:
            if options.wyoming_port is not None:
                await stack.enter_async_context(await _wyoming(service))
            await server.serve(sockets=list(sockets))
        ending.cancel()
    finally:
        service.close()


async def _wyoming(service: Service) -> asyncio.Server:
    """Listen for Wyoming's clients too."""
    from runtime.server import wyoming  # an extra of its own

    host, port = service.options.guard.host, service.options.wyoming_port or 0
    try:
        listening = await wyoming.Server(service).listen(host, port)
    except OSError as error:
        raise MachineError(f"--wyoming-port {port}: {error.strerror}; give another") from error
    port = listening.sockets[0].getsockname()[1]
    LOG.info("tcp://%s:%d", host, port)
    return listening


def _config(service: Service) -> uvicorn.Config:
    return uvicorn.Config(
        app.build(service),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
        http=_protocol(service.options.guard.head_s),
        h11_max_incomplete_event_size=HEADER_BYTES,
        lifespan="off",
        ws="none",
    )


def _protocol(head_s: float) -> type[H11Protocol]:
    """HTTP/1.1, where the head of a request has to come in time; a body has its own limit."""

    class InTime(H11Protocol):
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._begin()

        def data_received(self, data: bytes) -> None:
            self._begin()
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._end()

        def connection_lost(self, exc: Exception | None) -> None:
            self._end()
            super().connection_lost(exc)

        def _begin(self) -> None:
            self._late = self._late or self.loop.call_later(head_s, self.transport.close)

        def _end(self) -> None:
            if self._late:
                self._late.cancel()
            self._late = None

    return InTime


def listeners(host: str, ports: Sequence[int]) -> list[socket.socket]:
    """Open sockets, one per port.

    Raises:
        MachineError: an address is taken, or is none of this machine.
        SettingError: a port is no number of a port.
    """
    for port in ports:
        if not 0 <= port <= HIGHEST_PORT:
            raise SettingError(f"--port {port}: ports are 0 to {HIGHEST_PORT}; give another port")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened: list[socket.socket] = []
    for port in ports:
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # what the system holds for a client that does not read is bounded too
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        try:
            made.bind((host, port))
        except OSError as error:
            for one in (*opened, made):
                one.close()
            raise MachineError(_taken(host, port, error)) from error
        made.set_inheritable(True)
        opened.append(made)
    return opened


def _taken(host: str, port: int, error: OSError) -> str:
    hint = " (SillyTavern listens on 8000 itself)" if port == 8000 else ""
    return f"--port {port}: {host} can't be listened on: {error.strerror}{hint}; give another port"
