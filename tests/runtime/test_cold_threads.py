"""What is made when it is first needed, needed first by eight threads at once, in a new process.

Lazy state of the runtime outside the text front end: public names, OpenVINO's import, graphs of a
reference and of text features, the voice's own example, caches of the decoder, and the
sizes that graphs are compared with.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from runtime.backends import BACKENDS
from tests import bundles
from tests.runtime.command import PHONES

ROOT = Path(__file__).parents[2]
AGAIN = 20
SCRIPT = """
import sys, threading
bundle, example, provider, phones = sys.argv[1:]
ready, found, faults = threading.Barrier(8), [], []
shared = []
lock = threading.Lock()
def speak(number):
    try:
        ready.wait()
        from runtime import Reference, Voice
        with lock:  # half of them share one voice, whose parts are made at its first use
            if not shared:
                shared.append(Voice.load(bundle, provider=provider, threads=1))
        voice = shared[0] if number % 2 else Voice.load(bundle, provider=provider, threads=1)
        ready.wait()
        own = voice.synthesize(phones, as_phones=True, seed=7)
        other = voice.synthesize(phones, as_phones=True, seed=7, reference=Reference(example))
        found.append((own.samples.tobytes(), other.samples.tobytes()))
    except BaseException as fault:
        faults.append(repr(fault))
        ready.abort()
threads = [threading.Thread(target=speak, args=(number,)) for number in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(found), len(set(found)), faults)
"""


def cold(provider: str) -> str:
    """How many threads spoke, how many ways, and their faults."""
    words = [str(bundles.brief()), str(bundles.EXAMPLE), provider, PHONES]
    command = [sys.executable, "-c", SCRIPT, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("provider", ["cpu", "cpu,vocoder=openvino"])
def test_eight_threads_that_come_first_at_once_speak_alike(provider: str) -> None:
    missing = BACKENDS["openvino"].missing() if "openvino" in provider else None
    if missing:
        pytest.skip(f"cold threads stay untried: {missing}")
    assert cold(provider) == "8 1 []\n"


@pytest.mark.full
@pytest.mark.parametrize("provider", ["cpu", "cpu,vocoder=openvino"])
def test_so_they_do_each_time(provider: str) -> None:
    assert [cold(provider) for _ in range(AGAIN)] == ["8 1 []\n"] * AGAIN
