"""A training that is stopped goes on where it was."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from training.state import resume, save

ROOT = Path(__file__).parents[2]


def test_nothing_stored_means_step_zero(tmp_path: Path) -> None:
    assert resume(tmp_path / "state.pt", {"net": nn.Linear(2, 2)}) == 0


def test_parts_and_steps_come_back(tmp_path: Path) -> None:
    one, two = nn.Linear(2, 2), nn.Linear(2, 2)
    save(tmp_path / "state.pt", {"net": one}, step=7)
    assert resume(tmp_path / "state.pt", {"net": two}) == 7
    assert torch.equal(one.weight, two.weight)


ASKED = """
import os
from training.state import asked_to_stop
stop = asked_to_stop()
assert not stop()
os.kill(os.getpid(), {number})
assert stop()
print("still here")
"""


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_and_does_not_kill(sent: signal.Signals) -> None:
    # in a process of its own: a signal that comes late would end the test runner
    words = [sys.executable, "-c", ASKED.format(number=int(sent))]
    run = subprocess.run(words, cwd=ROOT, text=True, capture_output=True, timeout=120)
    assert (run.returncode, run.stdout) == (0, "still here\n"), run.stderr
