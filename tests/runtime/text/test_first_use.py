"""Eight threads that use a language first, all at once, in a fresh process."""

import subprocess
import sys

import pytest

from runtime.errors import BackendMissing
from runtime.text import require

SCRIPT = """
import sys, threading
from runtime.text import phonemize
lang, text = sys.argv[1:]
ready, wrong, read = threading.Barrier(8), [], []
def use():
    ready.wait()
    try:
        read.append(phonemize(text, lang))
    except Exception as error:
        wrong.append(repr(error))
threads = [threading.Thread(target=use) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not wrong, wrong[:2]
assert all(one == read[0] for one in read) and len(read) == 8
"""
TEXTS = {
    "zh": "今天是2024年5月6日，x=3。",
    "en": "The blorptastic fox has 3 cars, dr. Smith.",
    "ja": "今日は5kgです。",
    "ko": "값있는 물건 3개를 먹었다.",
    "yue": "我哋去飲茶啦，$5。",
}


@pytest.mark.parametrize("lang", TEXTS)
def test_a_language_is_loaded_once_whoever_comes_first(lang: str) -> None:
    try:
        require(lang)
    except BackendMissing as missing:
        pytest.skip(str(missing))
    for _ in range(3):
        command = [sys.executable, "-c", SCRIPT, lang, TEXTS[lang]]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-500:]
