"""Training: reproducible to the byte, interruptible anywhere, and honest about failure."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from device_profiles.errors import InputError
from hwnas import data
from hwnas.data import Dataset
from hwnas.spaces import MobileNetSpace
from hwnas.supernet import STRATEGIES, DivergedError, Supernet, checkpoint, load, train
from hwnas.supernet.strategies import Batch, OnePath, Pass, Sandwich

QUICK: dict[str, Any] = {"epochs": 3, "batch_size": 256, "learning_rate": 0.3}


class Interrupted(BaseException):
    """Stands for ctrl-c and for kills that leave no time to clean up."""


def interrupt_at(step: int) -> Any:
    def progress(now: int, _total: int, _numbers: dict[str, float]) -> None:
        if now == step:
            raise Interrupted

    return progress


def checkpoint_bytes(folder: Path) -> bytes:
    return (folder / checkpoint.FILE).read_bytes()


def weights_equal(a: Supernet, b: Supernet) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_resumed_training_gives_the_bytes_of_an_uninterrupted_one(
    space: MobileNetSpace, digits: Dataset, tmp_path: Path, strategy: str
) -> None:
    whole, broken, options = tmp_path / "whole", tmp_path / "broken", {**QUICK, "strategy": strategy}
    totals: list[int] = []
    expected = train(space, digits, out=whole, progress=lambda _now, total, _numbers: totals.append(total), **options)
    for step in (totals[0] // 2, totals[0] - 1):  # in the second epoch, then in the third
        with pytest.raises(Interrupted):
            train(space, digits, out=broken, resume=True, progress=interrupt_at(step), **options)
    assert load(broken)[1]["plan"]["done"] == 2
    found = train(space, digits, out=broken, resume=True, **options)
    assert checkpoint_bytes(broken) == checkpoint_bytes(whole)
    assert weights_equal(found, expected)
    epochs = [json.loads(line)["epoch"] for line in (broken / "train.jsonl").read_text().splitlines()]
    assert epochs == [1, 2, 3]


CHILD = """
import os, signal, sys
import torch
from hwnas import data, spaces
from hwnas.supernet import train
torch.set_num_threads(1)
def progress(now, total, numbers):
    if now == 7: os.kill(os.getpid(), signal.SIGKILL)
space = spaces.from_spec(eval(sys.argv[2]))
train(space, data.load("digits"), out=sys.argv[1], epochs=3, batch_size=256, learning_rate=0.3, progress=progress)
"""


def test_a_killed_process_loses_one_epoch_at_most(space: MobileNetSpace, digits: Dataset, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path / "killed"), repr(space.spec())]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    train(space, digits, out=tmp_path / "killed", resume=True, threads=1, **QUICK)
    train(space, digits, out=tmp_path / "whole", threads=1, **QUICK)
    assert checkpoint_bytes(tmp_path / "killed") == checkpoint_bytes(tmp_path / "whole")


def test_the_seed_decides_everything_and_global_randomness_nothing(space: MobileNetSpace, digits: Dataset) -> None:
    options = {**QUICK, "epochs": 1}
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002 - the point is that it does not matter
    first = train(space, digits, **options)
    torch.manual_seed(2)
    state, numpy_state = torch.random.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index] # noqa: NPY002
    again = train(space, digits, **options)
    assert weights_equal(first, again)
    assert not weights_equal(first, train(space, digits, **options, seed=1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.random.get_state()[1].tolist() == numpy_state  # type: ignore[index] # noqa: NPY002


def test_validation_and_test_images_are_not_looked_at(space: MobileNetSpace, digits: Dataset) -> None:
    garbage = data.Split(np.zeros_like(digits.test.images), digits.test.labels[::-1].copy())
    hidden = replace(digits, validation=garbage, test=garbage)
    options = {**QUICK, "epochs": 1}
    assert weights_equal(train(space, digits, **options), train(space, hidden, **options))


def test_the_result_is_in_eval_mode_with_the_largest_sub_net_active(space: MobileNetSpace, digits: Dataset) -> None:
    supernet = train(space, digits, **{**QUICK, "epochs": 1})
    assert not supernet.training
    assert supernet.active == tuple(space.largest()[0].tolist())
    assert not supernet.calibrated
    assert supernet.dataset is digits


def test_progress_and_log_say_what_happens(space: MobileNetSpace, digits: Dataset, tmp_path: Path) -> None:
    calls: list[tuple[int, int, dict[str, float]]] = []
    train(space, digits, out=tmp_path, progress=lambda *call: calls.append(call), **QUICK)
    assert [step for step, _, _ in calls] == list(range(1, 13))
    assert {total for _, total, _ in calls} == {12}
    assert set(calls[0][2]) == {"epoch", "loss", "train_accuracy", "learning_rate", "images_per_s"}
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert all(line["images_per_s"] > 0 and line["seconds"] > 0 for line in lines)
    assert [{k: v for k, v in line.items() if k not in ("seconds", "images_per_s")} for line in lines] == load(tmp_path)[1]["history"]
    assert lines[2]["loss"] < lines[0]["loss"]


def test_a_finished_training_is_not_trained_again(space: MobileNetSpace, digits: Dataset, tmp_path: Path) -> None:
    train(space, digits, out=tmp_path, **QUICK)
    before = checkpoint_bytes(tmp_path)
    supernet = train(space, digits, out=tmp_path, resume=True, progress=interrupt_at(1), **QUICK)
    assert checkpoint_bytes(tmp_path) == before
    assert weights_equal(supernet, load(tmp_path)[0])


def test_an_existing_training_is_not_overwritten(space: MobileNetSpace, digits: Dataset, tmp_path: Path) -> None:
    train(space, digits, out=tmp_path, **{**QUICK, "epochs": 1})
    before = checkpoint_bytes(tmp_path)
    with pytest.raises(InputError, match="already holds a training: go on with it"):
        train(space, digits, out=tmp_path, **{**QUICK, "epochs": 1})
    assert checkpoint_bytes(tmp_path) == before


def test_a_checkpoint_of_something_else_is_refused_and_both_are_named(space: MobileNetSpace, digits: Dataset, tmp_path: Path) -> None:
    train(space, digits, out=tmp_path, **{**QUICK, "epochs": 1})
    options = {**QUICK, "epochs": 1, "out": tmp_path, "resume": True}
    wider = MobileNetSpace(space.stages, 10, 1, 8, stem=8, head=24)
    other = data.load("digits", seed=1)
    with pytest.raises(InputError, match=r'its space is .*"head": 16.*asked for was .*"head": 24'):
        train(wider, digits, **options)
    with pytest.raises(InputError, match=f"its data is .*{digits.sha256}.*asked for was .*{other.sha256}"):
        train(space, other, **options)
    with pytest.raises(InputError, match=r'its strategy is .*"sandwich".*asked for was .*"one_path"'):
        train(space, digits, strategy="one_path", **options)
    with pytest.raises(InputError, match=r'its strategy is .*"random": 2.*asked for was .*"random": 1'):
        train(space, digits, strategy=Sandwich(random=1), **options)
    with pytest.raises(InputError, match=r'its recipe is .*"epochs": 1,.*asked for was .*"epochs": 2,'):
        train(space, digits, **{**options, "epochs": 2})


def test_a_log_cut_short_is_repaired(space: MobileNetSpace, digits: Dataset, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train(space, digits, out=tmp_path, progress=interrupt_at(9), **QUICK)
    with open(tmp_path / "train.jsonl", "a") as log:
        log.write('{"epoch": 3, "loss": 1}\n{"epoch": 3, "lo')
    train(space, digits, out=tmp_path, resume=True, **QUICK)
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert "train_accuracy" in lines[2]


@dataclass
class Watching(OnePath):
    """Remembers the labels of every batch and how far the training was."""

    def __post_init__(self) -> None:
        self.seen: list[tuple[list[int], float]] = []

    def step(self, supernet: Supernet, batch: Batch) -> list[Pass]:
        self.seen.append((batch.labels.tolist(), batch.progress))
        return super().step(supernet, batch)


def test_every_epoch_has_an_order_of_its_own_that_is_the_same_for_all_strategies(space: MobileNetSpace, digits: Dataset) -> None:
    watching, other = Watching(), Watching()
    train(space, digits, strategy=watching, **QUICK)
    train(space, digits, strategy=other, **{**QUICK, "learning_rate": 0.1})
    labels = [batch for batch, _ in watching.seen]
    epochs = [[label for batch in labels[i : i + 4] for label in batch] for i in (0, 4, 8)]
    assert [sorted(epoch) for epoch in epochs] == [sorted(digits.train.labels.tolist())] * 3
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    assert watching.seen == other.seen
    assert [progress for _, progress in watching.seen] == pytest.approx([step / 12 for step in range(12)])


@dataclass
class Poisoned(Sandwich):
    """Reports a loss that is no number for the third sub-net of one step."""

    name = "poisoned"
    at: int = 6
    steps: int = 0

    def step(self, supernet: Supernet, batch: Batch) -> list[Pass]:
        passes = super().step(supernet, batch)
        self.steps += 1
        return [replace(p, loss=math.nan) if i == 2 and self.steps == self.at else p for i, p in enumerate(passes)]


def test_a_loss_that_is_no_number_stops_and_names_the_sub_net(space: MobileNetSpace, digits: Dataset, tmp_path: Path) -> None:
    rng = np.random.default_rng([0, 2, 1])  # the generator of sub-nets in the second epoch
    space.sample(2, rng)
    culprit = space.sample(2, rng)[0].tolist()  # the first random sub-net of the second step there
    with pytest.raises(DivergedError) as caught:
        train(space, digits, strategy=Poisoned(), out=tmp_path, **QUICK)
    assert f"diverged in epoch 2: sub-net {culprit} has loss nan" in str(caught.value)
    assert "the checkpoint of epoch 1 is kept" in str(caught.value)
    assert "below 0.3" in str(caught.value)
    assert caught.value.exit_code == 2
    assert load(tmp_path)[1]["plan"]["done"] == 1


def test_a_training_that_explodes_stops(space: MobileNetSpace, digits: Dataset) -> None:
    with pytest.raises(DivergedError, match="no epoch was finished"):
        train(space, digits, learning_rate=1000, clip_norm=1e9, warmup_epochs=0, epochs=1, batch_size=16, weight_decay=10)


def test_a_time_limit_shortens_the_training_and_its_schedule(space: MobileNetSpace, digits: Dataset, tmp_path: Path) -> None:
    train(space, digits, out=tmp_path, time_limit_s=1e-9, **QUICK)
    plan = load(tmp_path)[1]["plan"]
    assert (plan["done"], plan["left"]) == (1, 0)
    train(space, digits, out=tmp_path, resume=True, progress=interrupt_at(1), **QUICK)  # it is finished
    train(space, digits, out=tmp_path / "ample", time_limit_s=1e6, **QUICK)
    train(space, digits, out=tmp_path / "none", **QUICK)
    assert checkpoint_bytes(tmp_path / "ample") == checkpoint_bytes(tmp_path / "none")
    with pytest.raises(InputError, match="time_limit_s must be positive"):
        train(space, digits, time_limit_s=0)


def test_threads_are_put_back_even_after_an_interruption(space: MobileNetSpace, digits: Dataset) -> None:
    before = torch.get_num_threads()
    inside: list[int] = []

    def progress(_now: int, _total: int, _numbers: dict[str, float]) -> None:
        inside.append(torch.get_num_threads())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(space, digits, threads=before + 1, progress=progress, **QUICK)
    assert inside == [before + 1]
    assert torch.get_num_threads() == before
    with pytest.raises(InputError, match="threads must be at least 1"):
        train(space, digits, threads=0, **QUICK)


def test_inputs_are_checked_before_anything_is_written(space: MobileNetSpace, digits: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "new"
    with pytest.raises(InputError, match="the space is for 10 classes of images"):
        train(space, data.load("digits", resolution=9), out=out)
    with pytest.raises(InputError, match="unknown strategy 'sandwhich': did you mean 'sandwich'"):
        train(space, digits, strategy="sandwhich", out=out)
    with pytest.raises(InputError, match="epochs must be between"):
        train(space, digits, epochs=0, out=out)
    assert not out.exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        train(space, digits, out=tmp_path / "file", progress=interrupt_at(1), **QUICK)
