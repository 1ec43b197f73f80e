"""Options of a training: what each does, and that all of them resume."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from device_profiles.errors import DeviceError, InputError
from hwnas.data import Dataset
from hwnas.spaces import MobileNetSpace
from hwnas.supernet import Supernet, checkpoint, load, train
from hwnas.supernet.strategies import Batch, OnePath, Pass
from hwnas.supernet.train_log import epoch_checkpoints
from hwnas.training import options_of

QUICK: dict[str, Any] = {"epochs": 2, "batch_size": 256, "strategy": "one_path"}


class Interrupted(BaseException):
    """Stands for a kill."""


def stop(now: int, total: int, _numbers: dict[str, float]) -> None:
    if now == total - 1:
        raise Interrupted


@pytest.mark.parametrize(
    "options",
    [
        {"optimiser": "adamw", "schedule": "linear"},
        {"average": 0.9, "flip": True, "cutout": 3},
        {"precision": "bfloat16", "schedule": "constant"},
    ],
)
def test_every_option_changes_the_weights_and_resumes(space: MobileNetSpace, digits: Dataset, tmp_path: Path, options: Any) -> None:
    options = {**QUICK, **options}
    whole = train(space, digits, out=tmp_path / "whole", **options)
    with pytest.raises(Interrupted):
        train(space, digits, out=tmp_path / "broken", progress=stop, **options)
    resumed = train(space, digits, out=tmp_path / "broken", resume=True, **options)
    files = [(tmp_path / name / checkpoint.FILE).read_bytes() for name in ("whole", "broken")]
    assert files[0] == files[1]
    plain = train(space, digits, **QUICK)
    loaded = load(tmp_path / "whole")[0]
    for key, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[key])
        assert torch.equal(weight, loaded.state_dict()[key])
        assert weight.dtype == torch.float32
    assert not torch.equal(whole.state_dict()["head.conv.weight"], plain.state_dict()["head.conv.weight"])


def test_the_average_lies_between_weights(space: MobileNetSpace, digits: Dataset, tmp_path: Path) -> None:
    train(space, digits, out=tmp_path, average=0.5, **QUICK)
    tensors = checkpoint.read(tmp_path)[0]
    last, average = (checkpoint.part(tensors, prefix) for prefix in (checkpoint.WEIGHT, checkpoint.AVERAGE))
    assert set(last) == set(average)
    differ = [float((last[key] - average[key]).norm() / last[key].norm()) for key in last if "conv" in key]
    assert 0 < max(differ) < 0.5
    assert torch.equal(load(tmp_path)[0].state_dict()["head.conv.weight"], average["head.conv.weight"])


def test_the_checkpoints_of_the_last_epochs_are_kept(space: MobileNetSpace, digits: Dataset, tmp_path: Path) -> None:
    options = {**QUICK, "epochs": 4}
    train(space, digits, out=tmp_path / "two", keep_epochs=2, **options)
    files = epoch_checkpoints(tmp_path / "two")
    assert [load(file)[1]["plan"]["done"] for file in files] == [3, 4]
    assert files[-1].read_bytes() == (tmp_path / "two" / checkpoint.FILE).read_bytes()
    train(space, digits, out=tmp_path / "none", keep_epochs=0, **options)
    assert epoch_checkpoints(tmp_path / "none") == []
    assert (tmp_path / "none" / checkpoint.FILE).read_bytes() == (tmp_path / "two" / checkpoint.FILE).read_bytes()
    with pytest.raises(InputError, match="keep_epochs must not be negative"):
        train(space, digits, keep_epochs=-1, **options)


@dataclass
class Hungry(OnePath):
    """Has memory for few images."""

    most: int = 40

    def step(self, supernet: Supernet, batch: Batch) -> list[Pass]:
        if len(batch.labels) > self.most:
            raise torch.OutOfMemoryError("out of memory")
        return super().step(supernet, batch)


def test_when_memory_is_short_a_batch_that_fits_is_named(space: MobileNetSpace, digits: Dataset) -> None:
    with pytest.raises(DeviceError, match=r"out of memory with 27\d images in a batch; 33 fit: try batch_size 33; no epoch was finished"):
        train(space, digits, **{**QUICK, "strategy": Hungry()})
    with pytest.raises(DeviceError, match=r"and with 2: this super-network needs more memory"):
        train(space, digits, **{**QUICK, "strategy": Hungry(most=0)})


def test_devices_that_are_not_there(space: MobileNetSpace, digits: Dataset) -> None:
    for device, message in (("gpu", "device must be such as"), ("meta", "device must be such as"), ("cuda:99", "there is no device")):
        with pytest.raises(InputError, match=message):
            train(space, digits, device=device, **QUICK)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_trains_and_the_result_is_on_the_cpu(space: MobileNetSpace, digits: Dataset) -> None:
    supernet = train(space, digits, device="cuda", **QUICK)
    assert {p.device.type for p in supernet.parameters()} == {"cpu"}
    assert all(np.isfinite(p.detach().numpy()).all() for p in supernet.parameters())


def test_options_as_texts() -> None:
    assert options_of("grouped", ["groups=8", "by=random", "epochs=3", "flip=true", "seed=4"]) == (
        {"groups": 8, "by": "random", "seed": 4},
        {"epochs": 3, "flip": True},
    )
    with pytest.raises(InputError, match="unknown option 'group': did you mean 'groups'"):
        options_of("grouped", ["group=8"])
    with pytest.raises(InputError, match="written NAME=VALUE"):
        options_of("fair", ["epochs"])
