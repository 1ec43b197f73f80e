"""A device that measures what it is told to: the walk's own predictor times a factor, so that the truth is known."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from device_profiles.drift import Drift
from device_profiles.errors import DeviceError
from device_profiles.lines import network_line
from device_profiles.operators import Network
from device_profiles.plan import WholeNetwork
from device_profiles.profile import DeviceProfile
from hwnas.profiling import arch_name
from hwnas.run import Run

Truth = Callable[[Network, float], float]


class Pretended:
    """A place whose latencies are `truth(executed network, predicted ms)`; `fails_at` is the call that the device does not survive."""

    calls: int = 0
    fails_at: int = 0

    def __init__(self, truth: Truth, noise: float, device: Any) -> None:
        self.truth, self.noise, self.device, self.lines = truth, noise, device, []  # type: ignore[var-annotated]

    def measure(self, space: Any, archs: Sequence[Any], budget_s: float | None) -> None:
        self.calls += 1
        if self.calls == self.fails_at:
            raise DeviceError("the board does not answer")
        rng = np.random.default_rng(self.calls)
        with self.device.lowering() as ask:
            for arch in archs:
                name, executed = arch_name(space, arch), ask(space.network(space.canonical(arch)[0]))
                ms = self.truth(executed, self.device.predict(executed).latency_ms.value)
                raw = ms * np.exp(self.noise * np.abs(rng.standard_normal((48, 1)))) * np.array([[1.0, 1.01, 1.05]])
                self.lines.append(network_line(f"network/{name}", WholeNetwork(name, b"", executed), raw, Drift(1.0, 0.0), 12))

    def profile(self) -> DeviceProfile:
        header = {"type": "header", "schema": 1, **{name: self.device.origin_[name] for name in ("device", "runtime", "protocol")}}
        return DeviceProfile(header, list(self.lines), "ef" * 32)


class Stage(NamedTuple):
    """A copy of the walk, and `pretend(truth)`, which makes its device one that measures `truth`."""

    folder: Path
    run: Run
    pretend: Callable[..., list[Pretended]]


@pytest.fixture
def stage(walk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    folder = tmp_path / "walk"
    shutil.copytree(walk.folder, folder)
    for left in ("verify.json", "verify.jsonl", "verify.jsonl.journal"):
        (folder / "run" / left).unlink(missing_ok=True)

    def pretend(truth: Truth, noise: float = 0.002, fails_at: int = 0) -> list[Pretended]:
        made: list[Pretended] = []

        def place(folder: Path, device: Any, settings: Any, progress: Any) -> Pretended:
            made.append(Pretended(truth, noise, device))
            made[-1].fails_at = fails_at
            return made[-1]

        monkeypatch.setattr("hwnas.verify.loop.Here", place)
        return made

    return Stage(folder, Run.open(folder / "run"), pretend)
