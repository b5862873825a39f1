"""What the operator of a server decides."""

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True)
class VoiceOptions:
    """Which voices there are, and what they are called.

    Attributes:
        roots: folders that hold bundles.
        default: name of the voice where a request has none; empty: the first.
        aliases: further names, each with the name of a voice.
        openai_names: whether `alloy` and its like mean the default voice.
        unknown_is_default: whether a name that nobody knows means the default voice.
        prefer: precisions that a short name means, the first that there is.
        memory_bytes: of loaded bundles; idle ones leave above it.
        preload: names of voices to load before the server is ready; `all`; empty: the default.
    """

    roots: tuple[Path, ...]
    default: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    openai_names: bool = True
    unknown_is_default: bool = False
    prefer: tuple[str, ...] = ("fp32",)
    memory_bytes: int = 0
    preload: tuple[str, ...] = ()


@dataclass(frozen=True)
class LoadOptions:
    """How much is done at a time.

    Attributes:
        parallel: requests that are spoken at once.
        queue: requests that wait.
        queue_s: how long one waits at most.
        request_s: how long one is worked on at most.
        stall_s: how long a client may leave ready sound unread.
        drain_s: how long requests under way may go on after SIGTERM.
    """

    parallel: int = 1
    queue: int = 16
    queue_s: float = 30.0
    request_s: float = 300.0
    stall_s: float = 20.0
    drain_s: float = 20.0


@dataclass(frozen=True)
class GuardOptions:
    """Who is let in, and with what.

    Attributes:
        host: the address that it accepts connections on.
        keys: sha256 of each key; none: no key is asked for.
        open_lists: whether lists of voices and models need no key.
        origins: further origins of pages that may call; `*` for any.
        hosts: further names that this server is called by.
        body_bytes: largest body.
        audio_body_bytes: largest body that may have sound inside.
        head_s, body_s: how long a request's head, and its body, may take to come.
    """

    host: str = "127.0.0.1"
    keys: tuple[bytes, ...] = ()
    open_lists: bool = False
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    body_bytes: int = MIB
    audio_body_bytes: int = 16 * MIB
    head_s: float = 20.0
    body_s: float = 20.0

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)


@dataclass(frozen=True)
class Options:
    """All of it.

    Attributes:
        voices, load, guard: the parts.
        references: folders whose sound files requests may name.
        uploads: where uploaded references are kept; None: none are taken.
        language: of texts whose request does not say it.
        longest_text: in characters.
        provider: what runs the graphs.
        threads: of each graph; 0 takes all cores.
        wyoming_port: that Wyoming's clients connect to; None: they can't.
        control: whether `/control` may end or reload the server.
        page, docs: whether the web page and the API's documents are served.
        log_text: whether texts are logged.
    """

    voices: VoiceOptions
    load: LoadOptions = field(default_factory=LoadOptions)
    guard: GuardOptions = field(default_factory=GuardOptions)
    references: tuple[Path, ...] = ()
    uploads: Path | None = None
    language: str = "auto"
    longest_text: int = 20_000
    provider: str = "auto"
    threads: int = 0
    wyoming_port: int | None = None
    control: bool = False
    page: bool = True
    docs: bool = True
    log_text: bool = False


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own, whatever stands behind its beginning."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def key_digest(key: str) -> bytes:
    """What is kept and compared of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
