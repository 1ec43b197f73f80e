"""What is written beside a checkpoint for people to look at."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from device_profiles.errors import InputError
from hwnas.data import Dataset
from hwnas.spaces import MobileNetSpace
from hwnas.supernet import train

QUICK: dict[str, Any] = {"batch_size": 256, "strategy": "one_path", "tensorboard": True}


class Interrupted(BaseException):
    """Stands for a kill."""


def stop(now: int, total: int, _numbers: dict[str, float]) -> None:
    if now == total - 1:
        raise Interrupted


def test_tensorboard_shows_the_lines_of_the_log(space: MobileNetSpace, digits: Dataset, tmp_path: Path) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="TensorBoard is not installed")
    with pytest.raises(Interrupted):
        train(space, digits, out=tmp_path, epochs=3, progress=stop, **QUICK)
    train(space, digits, out=tmp_path, epochs=3, resume=True, **QUICK)
    events = reader.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert set(events.Tags()["scalars"]) == set(lines[0])
    for name in ("loss", "train_accuracy", "images_per_s"):
        found = events.Scalars(name)
        assert [event.step for event in found] == [1, 2, 3]
        assert [event.value for event in found] == pytest.approx([line[name] for line in lines], rel=1e-5)


def test_what_tensorboard_needs(space: MobileNetSpace, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="needs a folder"):
        train(space, digits, epochs=1, **QUICK)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="pip install 'hwnas\\[tensorboard\\]'"):
        train(space, digits, out=tmp_path / "new", epochs=1, **QUICK)
    assert not (tmp_path / "new" / "supernet.safetensors").exists()
