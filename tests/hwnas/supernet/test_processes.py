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
from hwnas.supernet import checkpoint, load, strategies, train
from hwnas.supernet.initialise import initialise

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


EXACT = """
import torch
from hwnas.supernet import processes
torch.set_num_threads(1)
generator = torch.Generator().manual_seed(0)
def draw(*shape): return torch.randn(*shape, dtype=torch.float64, generator=generator)
x, target, scale, shift = draw(7, 3, 4, 4), draw(7, 3, 4, 4), draw(3), draw(3)
def gradients(rows):
    leaves = [tensor.clone().requires_grad_() for tensor in (x[rows], scale, shift)]
    loss = (processes.batch_norm(*leaves, 1e-5) - target[rows]).square().mean()
    (loss * (len(leaves[0]) / 7)).backward()
    return leaves
whole = gradients(slice(0, 7))
with processes.joined():
    mine = processes.part(7)
    part = gradients(mine)
    processes.sum_gradients(part[1:])
    assert 0 < mine.stop - mine.start < 7
    for found, expected in zip(part, (whole[0].grad[mine], whole[1].grad, whole[2].grad)):
        assert torch.allclose(found.grad, expected, rtol=1e-12, atol=1e-14)
"""


def test_batch_norm_and_gradients_are_exactly_those_of_the_whole_batch() -> None:
    port = free_port()
    both = [start(rank, port, code=EXACT) for rank in (0, 1)]
    errors = [child.communicate(timeout=300)[1] for child in both]
    assert [child.returncode for child in both] == [0, 0], errors


def start(rank: int, port: int, *arguments: str, code: str = CHILD) -> subprocess.Popen[str]:
    world = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [sys.executable, "-c", code, *arguments]
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
    begun = strategies.make(strategy).supernet(space)
    initialise(begun, torch.Generator().manual_seed(0))
    ends = [torch.cat([weight.flatten() for weight in checkpoint.weights(net).values()]) for net in (begun, one, two)]
    assert (ends[2] - ends[1]).norm() < 0.03 * (ends[1] - ends[0]).norm()  # sums in another order, which training amplifies


def test_a_killed_process_is_told_in_a_line(space: MobileNetSpace, tmp_path: Path) -> None:
    port = free_port()
    both = [start(rank, port, str(tmp_path / "out"), "one_path", "6", repr(space.spec())) for rank in (0, 1)]
    message = both[0].communicate(timeout=300)[1]
    both[1].communicate(timeout=300)
    assert both[1].returncode == -signal.SIGKILL
    assert both[0].returncode == 3, message
    assert "lost another one" in message.splitlines()[-1]
    assert load(tmp_path / "out")[1]["plan"]["done"] == 1
