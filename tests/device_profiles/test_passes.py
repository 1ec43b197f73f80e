from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from device_profiles import energy
from device_profiles.append import Appender
from device_profiles.energy.energy_pass import EnergyPass
from device_profiles.energy.meter import Meter, Reading, now
from device_profiles.items import Item, background_items
from device_profiles.operators import Network
from device_profiles.passes import Passes
from device_profiles.plan import WholeNetwork
from device_profiles.runtimes import RuntimeProcess


class Steady(Meter):
    """A device that draws 3 W whatever it does."""

    name, unit, covers, rails, period_s, resolution = "steady", "W", "a test", ("a",), 0.005, 0.0

    def read(self) -> Reading:
        return Reading(now(), 3.0)


def nothing() -> None: ...


@pytest.fixture
def item(network: Network) -> Item:
    whole = WholeNetwork("n", b"", network)
    return Item("network/n", lambda: b"", False, whole)


def test_a_budget_keeps_something_back(runtime: RuntimeProcess, item: Item, tmp_path: Path) -> None:
    off = Passes(runtime, nothing, None, memory=False, root=tmp_path)
    assert off.reserve_s(100.0, [item]) == 0
    memory = Passes(runtime, nothing, None, memory=True, root=tmp_path)
    assert 0 < memory.reserve_s(100.0, [item]) < 3
    assert memory.reserve_s(100.0, [item] * 1000) == pytest.approx(10)
    assert memory.reserve_s(100.0, background_items()) == 0
    both = Passes(runtime, nothing, Steady(), memory=True, root=tmp_path)
    assert both.reserve_s(100.0, [item]) > 30
    assert both.reserve_s(100.0, []) == 0


def test_nothing_is_begun_that_does_not_fit(runtime: RuntimeProcess, item: Item, tmp_path: Path) -> None:
    floor = background_items()[0]
    with EnergyPass(Steady(), runtime, nothing) as measuring:
        assert list(measuring.measure([item], floor, lambda: 1.0)) == []
    passes = Passes(runtime, nothing, Steady(), memory=True, root=tmp_path)
    with Appender(tmp_path / "p.jsonl") as profile:
        passes.run(profile, [item], floor, set(), lambda: 0.0, lambda text: None)
        assert (tmp_path / "p.jsonl").stat().st_size == 0


def test_a_device_that_draws_the_same_at_work_has_no_energy_to_tell(runtime: RuntimeProcess) -> None:
    floor, conv, _ = background_items()
    with EnergyPass(Steady(), runtime, nothing) as measuring:
        (line,) = measuring.measure([conv], floor, lambda: 1e9)
    assert line["status"] == "failed"
    assert "below what the meter can tell" in line["error"]


def test_a_gpu_is_measured_neither_by_the_processor_nor_by_its_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Graphics:
        def fingerprint(self) -> dict[str, Any]:
            return {"provider": "CUDAExecutionProvider"}

    monkeypatch.setattr(energy, "find", lambda root, problems: [Steady()])
    passes = Passes(Graphics(), nothing, "auto", memory=True, root=tmp_path)  # type: ignore[arg-type]
    assert (passes.meter, passes.memory, passes.header()) == (None, False, "unavailable")
