"""Wyoming, by the package that Home Assistant uses."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

wire = pytest.importorskip("wyoming.event", reason="Wyoming's package is not installed")
from wyoming.client import AsyncTcpClient  # noqa: E402
from wyoming.info import Describe, Info  # noqa: E402
from wyoming.ping import Ping  # noqa: E402
from wyoming.tts import (  # noqa: E402
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeVoice,
)

from tests.server.running import Running, server  # noqa: E402

TEXT = "The light is on. The door is open."


@pytest.fixture(scope="module")
def running() -> Running:
    return server("--wyoming-port", "0", "--language", "en")


def talked(running: Running, talk: Callable[[AsyncTcpClient], Awaitable[Any]]) -> Any:
    async def connected() -> Any:
        async with AsyncTcpClient("127.0.0.1", running.wyoming_port) as client:
            return await asyncio.wait_for(talk(client), 60)

    return asyncio.run(connected())


async def until(client: AsyncTcpClient, last: str) -> list[Any]:
    """Events up to one of this type, or to the end."""
    found = []
    while (event := await client.read_event()) is not None:
        found.append(event)
        if event.type == last:
            break
    return found


def test_the_voices_are_described(running: Running) -> None:
    async def talk(client: AsyncTcpClient) -> Info:
        await client.write_event(Describe().event())
        return Info.from_event((await until(client, "info"))[-1])

    (program,) = talked(running, talk).tts
    assert program.supports_synthesize_streaming
    assert [voice.name for voice in program.voices] == ["flite", "mia"]
    assert all(voice.installed and voice.version for voice in program.voices)
    assert "en-US" in program.voices[0].languages


def test_a_text_is_one_start_chunks_and_one_stop(running: Running) -> None:
    async def talk(client: AsyncTcpClient) -> list[Any]:
        voice = SynthesizeVoice(name="mia")
        await client.write_event(Synthesize(text=TEXT, voice=voice).event())
        return await until(client, "audio-stop")

    start, *chunks, stop = talked(running, talk)
    assert (start.type, stop.type) == ("audio-start", "audio-stop")
    assert start.data == {"rate": 32_000, "width": 2, "channels": 1, "timestamp": 0}
    assert {chunk.type for chunk in chunks} == {"audio-chunk"}
    assert max(len(chunk.payload) for chunk in chunks) <= 2048
    times = [chunk.data["timestamp"] for chunk in chunks]
    assert times == sorted(times)
    samples = np.frombuffer(b"".join(chunk.payload for chunk in chunks), "<i2")
    assert samples.size > 32_000
    assert np.abs(samples).max() > 0


def test_text_in_pieces_is_one_sound_and_an_end_of_its_own(running: Running) -> None:
    async def talk(client: AsyncTcpClient) -> list[str]:
        await client.write_event(SynthesizeStart().event())
        for piece in ("The light ", "is on. The do", "or is open."):
            await client.write_event(SynthesizeChunk(piece).event())
        await client.write_event(Synthesize(text=TEXT).event())  # for servers of before
        await client.write_event(SynthesizeStop().event())
        return [event.type for event in await until(client, "synthesize-stopped")]

    kinds = talked(running, talk)
    assert kinds[0] == "audio-start"
    assert kinds[-2:] == ["audio-stop", "synthesize-stopped"]
    assert set(kinds[1:-2]) == {"audio-chunk"}


def test_nothing_to_say_is_an_empty_sound(running: Running) -> None:
    async def talk(client: AsyncTcpClient) -> list[str]:
        await client.write_event(Synthesize(text=" ").event())
        return [event.type for event in await until(client, "audio-stop")]

    assert talked(running, talk) == ["audio-start", "audio-stop"]


def test_a_ping_is_answered_and_what_is_unknown_is_passed_over(running: Running) -> None:
    async def talk(client: AsyncTcpClient) -> Any:
        await client.write_event(wire.Event("select-program", {"name": "x"}))
        await client.write_event(Ping(text="hello").event())
        return (await until(client, "pong"))[-1].data

    assert talked(running, talk)["text"] == "hello"


@pytest.mark.parametrize("voice", [{"name": "nobody"}, "nobody"])
def test_a_failure_is_told_and_ends_the_connection(running: Running, voice: Any) -> None:
    async def talk(client: AsyncTcpClient) -> list[Any]:
        await client.write_event(wire.Event("synthesize", {"text": TEXT, "voice": voice}))
        return await until(client, "none")

    (error,) = talked(running, talk)
    assert (error.type, error.data["code"]) == ("error", "voice_not_found")


@pytest.mark.parametrize(
    "content", [b"no json\n", b"[]\n", b"x" * 70_000, b'{"type":"a","data_length":99999999}\n',
                b'{"type":"a","payload_length":5}\nxxxxx', b'{"data":{}}\n'],
)  # fmt: skip
def test_what_is_no_event_or_too_large_ends_the_connection(
    running: Running, content: bytes
) -> None:
    async def talk() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.wyoming_port)
        writer.write(content)
        try:
            return await asyncio.wait_for(reader.read(), 30)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    assert asyncio.run(talk()) == b""
    assert running.get("/health").ok


def test_requests_are_counted(running: Running) -> None:
    found = running.get("/metrics").text
    assert 'sovits_requests_total{api="wy",format="pcm",mode="stream",status="200"}' in found
