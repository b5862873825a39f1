"""What all families of clients share: voices, queue, references, counts, and the state of both."""

import asyncio
import json
import logging
import secrets
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from runtime.server.library import Bundle, Library
from runtime.server.metrics import Metrics, Spoken
from runtime.server.options import Options
from runtime.server.references import Example, References
from runtime.server.refusals import Refusal
from runtime.server.uploads import Uploads
from runtime.server.workers import Workers

LOG = logging.getLogger(__name__)
REQUESTS = logging.getLogger("runtime.server.requests")


@dataclass
class Current:
    """Voice and reference that GPT-SoVITS's own clients set for all later requests."""

    bundle: Bundle | None = None
    example: Example | None = None


class Service:
    """One server, whatever speaks to it."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.library = Library(options)
        self.uploads = Uploads(options.uploads)
        self.references = References(options.references, self.uploads, self.library)
        self.workers = Workers(options.load)
        self.version = _version()
        self.metrics = Metrics(self.version, options.provider)
        self.current = Current()
        self.stopping = asyncio.Event()
        self._preloading = True
        self._failed = ""

    def warm_up(self) -> None:
        """Load the voices that are to be ready, in a thread of its own."""
        threading.Thread(target=self._preload, name="preload", daemon=True).start()

    def _preload(self) -> None:
        wanted = self.options.voices.preload or ("",)
        bundles = (
            self.library.bundles()
            if "all" in wanted
            else [found for name in wanted if (found := self.library.find(name))]
        )
        for bundle in bundles:
            try:
                with self.library.loaded(bundle) as voice:
                    voice.warm_up()
            except Exception:
                LOG.exception("%s can't be loaded", bundle.id)
                self._failed = f"{bundle.id} can't be loaded; the log has the reason"
        self._preloading = False

    @property
    def not_ready(self) -> str:
        """Why requests should go elsewhere; empty if they should not."""
        if self.workers.draining:
            return "shutting down"
        if self._preloading:
            return "loading"
        return self._failed or ("" if self.library.names else "there is no voice")

    def refuse_if_busy(self) -> None:
        """Refuse a request before its body is read.

        Raises:
            Refusal: 429 or 503.
        """
        try:
            self.workers.refuse_if_busy()
        except Refusal as refusal:
            self.metrics.rejected.labels(refusal.code).inc()
            raise

    def drain(self) -> None:
        """Take no more requests."""
        self.workers.drain()

    def close(self) -> None:
        """End all work and let go of the voices."""
        self.workers.close()
        self.library.close()

    def note(self, done: Spoken, text: str, request_id: str) -> None:
        """Count a request, and log it in one line."""
        self.metrics.add(done)
        line: dict[str, Any] = {"id": request_id} | asdict(done)
        if self.options.log_text:
            line["text"] = text
        REQUESTS.info(json.dumps(line, ensure_ascii=False))

    def measured(self) -> bytes:
        """Counts and times, for Prometheus."""
        self.metrics.queue_length.set(self.workers.waiting)
        self.metrics.running.set(self.workers.running)
        for bundle in self.library.bundles():
            self.metrics.loaded.labels(bundle.id).set(bundle.voice is not None)
            self.metrics.size.labels(bundle.id).set(bundle.size_bytes)
        return self.metrics.text()


def request_id(headers: Mapping[str, str]) -> str:
    """The caller's id of a request, if it is one; else a new one."""
    given = headers.get("x-request-id", "")
    plain = given.isascii() and given.replace(".", "").replace("_", "").replace("-", "").isalnum()
    return given if plain and len(given) <= 128 else f"req_{secrets.token_hex(12)}"


def _version() -> str:
    try:
        return version("sovits-foundry")
    except PackageNotFoundError:
        return "0"
