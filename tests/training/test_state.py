"""A training that is stopped goes on where it was."""

import os
import signal
from pathlib import Path

import pytest
import torch
from torch import nn

from training.state import asked_to_stop, resume, save


def test_nothing_stored_means_step_zero(tmp_path: Path) -> None:
    assert resume(tmp_path / "state.pt", {"net": nn.Linear(2, 2)}) == 0


def test_parts_and_steps_come_back(tmp_path: Path) -> None:
    one, two = nn.Linear(2, 2), nn.Linear(2, 2)
    save(tmp_path / "state.pt", {"net": one}, step=7)
    assert resume(tmp_path / "state.pt", {"net": two}) == 7
    assert torch.equal(one.weight, two.weight)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_and_does_not_kill(sent: signal.Signals) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        stop = asked_to_stop()
        assert not stop()
        os.kill(os.getpid(), sent)
        assert stop()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
