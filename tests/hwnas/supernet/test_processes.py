"""Two processes train what one does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hwnas.data import Dataset
from hwnas.spaces import MobileNetSpace
from hwnas.supernet import checkpoint, load, train

CHILD = """
import os, signal, sys
import torch
torch.set_num_threads(1)
from hwnas import data, spaces
from hwnas.supernet import train
out, strategy, kill_at = sys.argv[1], sys.argv[2], int(sys.argv[3])
space = spaces.from_spec(eval(sys.argv[4]))
if kill_at and os.environ["RANK"] == "1":
    from hwnas.supernet import strategies
    real, count = strategies.OnePath.step, [0]
    def step(self, supernet, batch):
        count[0] += 1
        if count[0] == kill_at: os.kill(os.getpid(), signal.SIGKILL)
        return real(self, supernet, batch)
    strategies.OnePath.step = step
from device_profiles.errors import HwnasError
try:
    train(space, data.load("digits"), out=out, strategy=strategy, epochs=2, batch_size=257, learning_rate=0.02, shift=1)
except HwnasError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


def start(rank: int, port: int, *arguments: str) -> subprocess.Popen[str]:
    world = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [sys.executable, "-c", CHILD, *arguments]
    return subprocess.Popen(command, env={**os.environ, **world}, stderr=subprocess.PIPE, text=True)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.parametrize("strategy", ["sandwich", "manas"])
def test_two_processes_give_the_weights_of_one(space: MobileNetSpace, digits: Dataset, tmp_path: Path, strategy: str) -> None:
    port = free_port()
    both = [start(rank, port, str(tmp_path / "two"), strategy, "0", repr(space.spec())) for rank in (0, 1)]
    errors = [child.communicate(timeout=300)[1] for child in both]
    assert [child.returncode for child in both] == [0, 0], errors
    one = train(space, digits, out=tmp_path / "one", strategy=strategy, epochs=2, batch_size=257, learning_rate=0.02, shift=1)
    two, metadata = load(tmp_path / "two")
    history = load(tmp_path / "one")[1]["history"]
    for a, b in zip(metadata["history"], history, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
        assert a["train_accuracy"] == pytest.approx(b["train_accuracy"], abs=0.01)
    for name, weight in checkpoint.weights(one).items():
        assert torch.allclose(checkpoint.weights(two)[name], weight, rtol=1e-3, atol=1e-4), name


def test_a_killed_process_is_told_in_a_line(space: MobileNetSpace, tmp_path: Path) -> None:
    port = free_port()
    both = [start(rank, port, str(tmp_path / "out"), "one_path", "6", repr(space.spec())) for rank in (0, 1)]
    message = both[0].communicate(timeout=300)[1]
    both[1].communicate(timeout=300)
    assert both[1].returncode == -signal.SIGKILL
    assert both[0].returncode == 3, message
    assert "lost another one" in message.splitlines()[-1]
    assert load(tmp_path / "out")[1]["plan"]["done"] == 1
