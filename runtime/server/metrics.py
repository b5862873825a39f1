"""Counts and times of a server, for Prometheus; labels have few values."""

from dataclasses import dataclass

import onnxruntime
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 12, 30, 60)
FACTORS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 5)


@dataclass(frozen=True)
class Spoken:
    """What became of one request.

    Attributes:
        api: family of clients.
        voice: full name of the bundle.
        format: of the sound.
        mode: `whole` or `stream`.
        status: HTTP status; 499 where the client left before it.
        reason: why it was stopped or refused; empty if it was not.
        characters, tokens: of the text, and made.
        audio_s: sound that was made.
        queue_s, first_s, total_s: waited, until the first bytes, until the end; None if never.
        truncated: sentences that a limit cut short.
    """

    api: str
    voice: str
    format: str
    mode: str
    status: int
    reason: str = ""
    characters: int = 0
    tokens: int = 0
    audio_s: float = 0.0
    queue_s: float | None = None
    first_s: float | None = None
    total_s: float | None = None
    truncated: int = 0


class Metrics:
    """All of them, in a registry of their own."""

    def __init__(self, version: str, provider: str) -> None:
        self.registry = made = CollectorRegistry()
        ProcessCollector(registry=made)
        PlatformCollector(registry=made)
        self._requests = Counter(
            "sovits_requests", "Requests.", ("api", "format", "mode", "status"), registry=made
        )
        self._total = _times("sovits_request_seconds", "Whole requests.", made)
        self._first = _times("sovits_first_audio_seconds", "Until the first sound.", made)
        self._queue = _times("sovits_queue_seconds", "Time spent waiting.", made)
        self._factor = Histogram(
            "sovits_realtime_factor", "Seconds of work for a second of sound.", ("mode",),
            buckets=FACTORS, registry=made,
        )  # fmt: skip
        self.queue_length = Gauge("sovits_queue_length", "Requests that wait.", registry=made)
        self.running = Gauge("sovits_running", "Requests that are spoken.", registry=made)
        self.connections = Gauge("sovits_connections", "Requests that are open.", registry=made)
        self.rejected = Counter("sovits_rejected", "Refusals.", ("reason",), registry=made)
        self.cancelled = Counter("sovits_cancelled", "Stopped work.", ("reason",), registry=made)
        self._audio = _by_voice("sovits_audio_seconds", "Sound that was made.", made)
        self._tokens = _by_voice("sovits_tokens", "Semantic tokens.", made)
        self._characters = _by_voice("sovits_characters", "Text that was spoken.", made)
        self._truncated = _by_voice("sovits_truncated", "Sentences that were cut short.", made)
        self.loaded = Gauge(
            "sovits_voice_loaded", "Whether it is in memory.", ("voice",), registry=made
        )
        self.size = Gauge("sovits_voice_bytes", "Bytes of its files.", ("voice",), registry=made)
        self.loads = Counter("sovits_voice_loads", "Loads.", ("voice", "result"), registry=made)
        build = Gauge(
            "sovits_build_info", "What runs here.", ("version", "onnxruntime", "provider"),
            registry=made,
        )  # fmt: skip
        build.labels(version, onnxruntime.__version__, provider).set(1)

    def add(self, done: Spoken) -> None:
        """Count a request."""
        self._requests.labels(done.api, done.format, done.mode, str(done.status)).inc()
        for histogram, seconds in (
            (self._total, done.total_s), (self._first, done.first_s), (self._queue, done.queue_s),
        ):  # fmt: skip
            if seconds is not None:
                histogram.labels(done.api, done.mode).observe(seconds)
        if done.audio_s and done.total_s is not None:
            worked = done.total_s - (done.queue_s or 0.0)
            self._factor.labels(done.mode).observe(worked / done.audio_s)
        for counter, amount in (
            (self._audio, done.audio_s), (self._tokens, done.tokens),
            (self._characters, done.characters), (self._truncated, done.truncated),
        ):  # fmt: skip
            counter.labels(done.voice).inc(amount)
        if done.reason:
            self.cancelled.labels(done.reason).inc()

    def text(self) -> bytes:
        """All of them in Prometheus's text format."""
        return generate_latest(self.registry)


def _by_voice(name: str, description: str, registry: CollectorRegistry) -> Counter:
    return Counter(name, description, ("voice",), registry=registry)


def _times(name: str, description: str, registry: CollectorRegistry) -> Histogram:
    return Histogram(name, description, ("api", "mode"), buckets=SECONDS, registry=registry)
