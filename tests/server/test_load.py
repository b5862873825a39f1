"""Many requests, slow clients, clients that leave, and the end of a server."""

import json
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.server.running import Running, server, start

LONG = " ".join(["One two three four five six seven eight nine ten."] * 12)
PATIENCE_S = 60


@pytest.fixture(scope="module")
def running() -> Running:
    """One request at a time, one that waits."""
    return server("--queue", "1", "--stall-timeout", "1", "--queue-timeout", "20")


def metric(running: Running, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", running.get("/metrics").text, re.M)
    return float(found[1]) if found else 0.0


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def unread(running: Running, text: str = LONG, **body: Any) -> socket.socket:
    """A client that asks and does not read."""
    content = json.dumps({"input": text, "response_format": "pcm"} | body).encode()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", running.ports[0]))
    client.sendall(
        b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(content), content)
    )
    return client


def test_a_full_queue_is_told_with_when_to_come_again(running: Running) -> None:
    refused = metric(running, 'sovits_rejected_total{reason="queue_full"}')
    clients = [unread(running, response_format="wav") for _ in range(2)]
    until(lambda: metric(running, "sovits_running") + metric(running, "sovits_queue_length") == 2)
    answer = running.speech()
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "queue_full"
    assert answer.json()["error"]["type"] == "rate_limit_error"
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert running.get("/tts?text=Hi.").json()["message"].startswith("too many requests wait")
    assert metric(running, 'sovits_rejected_total{reason="queue_full"}') == refused + 2
    for client in clients:
        client.close()
    until(lambda: metric(running, "sovits_running") + metric(running, "sovits_queue_length") == 0)
    assert running.speech().status_code == 200


def test_a_client_that_leaves_ends_its_work(running: Running) -> None:
    before = metric(running, 'sovits_cancelled_total{reason="disconnect"}')
    client = unread(running)
    client.recv(1000)
    assert metric(running, "sovits_running") == 1
    client.close()
    until(lambda: metric(running, "sovits_running") == 0)
    assert metric(running, 'sovits_cancelled_total{reason="disconnect"}') == before + 1
    assert running.speech().status_code == 200


def test_a_client_that_leaves_while_it_waits_costs_no_work(running: Running) -> None:
    tokens = 'sovits_tokens_total{voice="mia/1000/fp32"}'
    before = metric(running, tokens)
    first = unread(running)
    until(lambda: metric(running, "sovits_running") == 1)
    second = unread(running, voice="mia")
    until(lambda: metric(running, "sovits_queue_length") == 1)
    second.close()
    until(lambda: metric(running, "sovits_queue_length") == 0)
    first.close()
    until(lambda: metric(running, "sovits_running") == 0)
    assert metric(running, tokens) == before


def test_a_client_that_does_not_read_is_given_up(running: Running) -> None:
    before = metric(running, 'sovits_cancelled_total{reason="stall"}')
    client = unread(running, LONG * 8, sample_rate=48_000)
    until(lambda: metric(running, 'sovits_cancelled_total{reason="stall"}') == before + 1)
    client.close()
    assert running.speech().status_code == 200


def test_a_stream_that_is_given_up_has_no_proper_end(running: Running) -> None:
    body = {"input": LONG * 8, "response_format": "pcm", "sample_rate": 48_000}
    url = f"{running.url}/v1/audio/speech"
    answer = requests.post(url, stream=True, timeout=PATIENCE_S, json=body)
    stalls = metric(running, 'sovits_cancelled_total{reason="stall"}')
    until(lambda: metric(running, 'sovits_cancelled_total{reason="stall"}') > stalls)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        for _ in answer.iter_content(1 << 16):
            pass


def test_whole_answers_that_arrive_are_not_counted_as_given_up() -> None:
    crowd = server()
    before = metric(crowd, 'sovits_cancelled_total{reason="disconnect"}')
    for _ in range(20):
        assert crowd.speech(input="Hi.", response_format="wav").status_code == 200
    assert metric(crowd, 'sovits_cancelled_total{reason="disconnect"}') == before


@pytest.mark.parametrize("at_once", ["1", "4"])
def test_eight_users_get_what_one_alone_gets(at_once: str) -> None:
    crowd = server("--parallel", at_once)
    bodies: list[dict[str, Any]] = [
        {"seed": seed, "response_format": name}
        for seed in (1, 2)
        for name in ("wav", "mp3", "pcm", "opus")
    ]
    alone = [crowd.speech(**body).content for body in bodies]
    with ThreadPoolExecutor(8) as users:
        together = list(users.map(lambda body: crowd.speech(**body).content, bodies))
    assert together == alone
    assert len(set(alone)) == 8


def test_a_request_has_a_limit_of_time() -> None:
    short = server("--request-timeout", "0.3")
    answer = short.speech(input=LONG, response_format="wav")
    assert answer.status_code == 504
    assert (answer.json()["error"]["code"], answer.headers["x-should-retry"]) == (
        "timeout",
        "false",
    )
    until(lambda: metric(short, "sovits_running") == 0)


def test_a_wait_has_a_limit_of_time() -> None:
    short = server("--queue-timeout", "0.2")
    client = unread(short)
    until(lambda: metric(short, "sovits_running") == 1)
    answer = short.speech()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "queue_timeout")
    assert int(answer.headers["retry-after"]) >= 1
    client.close()


def test_what_is_under_way_is_finished_before_the_end() -> None:
    ending = start("--drain", "60", "--queue", "4")
    answers: list[int] = []

    def ask() -> None:
        answers.append(ending.speech(input=LONG, response_format="wav").status_code)

    asking = [threading.Thread(target=ask) for _ in range(2)]
    asking[0].start()
    until(lambda: metric(ending, "sovits_running") == 1)
    asking[1].start()
    until(lambda: metric(ending, "sovits_queue_length") == 1)
    ending.process.send_signal(signal.SIGTERM)
    asking[1].join()
    assert answers == [503]
    assert ending.get("/ready").json()["reason"] == "shutting down"
    refused = ending.speech()
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "shutting_down")
    asking[0].join()
    assert answers == [503, 200]
    assert ending.process.wait(30) == 0


def test_after_a_kill_the_next_server_is_as_the_first() -> None:
    killed = start()
    wanted = killed.speech(response_format="wav").content
    client = unread(killed)
    until(lambda: metric(killed, "sovits_running") == 1)
    assert killed.stop(signal.SIGKILL) == -signal.SIGKILL
    client.close()
    again = start(ports=killed.ports)
    assert again.speech(response_format="wav").content == wanted
    assert again.stop() == 0
