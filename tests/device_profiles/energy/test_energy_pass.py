"""The whole way: a campaign on a real runtime, on a synthetic machine whose power is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_profiles import onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.campaign import Campaign
from device_profiles.energy.energy_pass import _patiently
from device_profiles.energy.powercap import PowercapMeter
from device_profiles.energy.recorder import GapError
from device_profiles.operators import Tensor
from device_profiles.plan import Plan, WholeNetwork, make_plan
from device_profiles.profile import DeviceProfile
from device_profiles.protocol import Protocol
from device_profiles.runtimes import RuntimeFailure, RuntimeProcess

QUICK = Protocol(block_ms=1.0, min_rounds=3, max_rounds=3, call_us=50.0, max_copies=4, prelude_rounds=3, quiet=0.0)

IDLE_W, BUSY_W, RANGE_UJ = 20.0, 50.0, 4_000_000


class Watched:
    """A runtime that lets a synthetic machine know when it runs."""

    def __init__(self, inner: RuntimeProcess) -> None:
        self.inner, self.watts, self.before = inner, IDLE_W, lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def time(self, handle: int, **options: Any) -> Any:
        self.before()
        self.watts = BUSY_W
        try:
            return self.inner.time(handle, **options)
        finally:
            self.before()
            self.watts = IDLE_W


def small_plan(runtime: RuntimeProcess) -> Plan:
    net = NetworkBuilder("small", {"x": Tensor((1, 16, 24, 24))})
    model = onnx_io.network_model(net.build(net.conv("b", net.conv("a", "x", 32, 3), 32, 1)))
    whole = WholeNetwork("small", model, runtime.executed_graph(model))
    return make_plan([whole.executed], [whole])


def campaign(machine: Callable[..., Any], runtime: RuntimeProcess, path: Path, **options: Any) -> tuple[Campaign, Any]:
    watched = Watched(runtime)
    synthetic = machine(lambda: watched.watts, RANGE_UJ)
    watched.before = synthetic.account
    plan = options.pop("plan", None) or small_plan(runtime)
    return Campaign(plan, path, watched, settings=QUICK, root=synthetic.root, **options), synthetic  # type: ignore[arg-type]


def test_energy_of_a_known_machine(machine: Callable[..., Any], runtime: RuntimeProcess, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    running, synthetic = campaign(machine, runtime, path, meter="auto")
    with synthetic:
        outcome = running.run()
    assert synthetic.joules > 3 * RANGE_UJ / 1e6  # the counter wrapped again and again
    profile = DeviceProfile.read(path)
    header = profile.header["energy"]
    assert (header["meter"], header["rails"]) == ("rapl", ["package-0"])
    assert header["idle_w"]["value"] == pytest.approx(IDLE_W, rel=0.1)
    lines = {line["of"]: line for line in profile.lines if line["type"] == "energy"}
    assert set(lines) == {m.key for m in [*profile.operators(), *profile.networks()]}
    assert outcome.measured == len(lines)
    (whole,) = profile.networks()
    line = lines[whole.key]
    call_ms = np.mean([run[2] for run in line["runs"]])
    assert whole.energy_mj is not None
    # At rest 20 W, running 50 W: 30 W of it belong to the network. The thread that plays the machine is late now and then.
    assert whole.energy_mj.value == pytest.approx((BUSY_W - IDLE_W) * call_ms, rel=0.15)
    assert line["total_energy_mj"]["value"] == pytest.approx(BUSY_W * call_ms, rel=0.15)
    assert line["power_w"]["value"] == pytest.approx(BUSY_W, rel=0.15)
    assert whole.energy_mj.low < whole.energy_mj.value < whole.energy_mj.high
    assert whole.energy_mj.origin == "measured"
    measured = [m for m in profile.operators() if m.energy_mj is not None]
    assert measured
    for m in measured:
        runs, copies = lines[m.key]["runs"], lines[m.key]["copies"]
        assert m.energy_mj is not None
        # Without the empty call, which is a small part of it.
        assert 0 < m.energy_mj.value < 1.2 * (BUSY_W - IDLE_W) * np.mean([run[2] for run in runs]) / copies
    before = path.read_bytes()
    again, synthetic = campaign(machine, runtime, path, meter="auto")
    with synthetic:
        again.run()
    assert path.read_bytes() == before


def test_what_an_interrupted_pass_did_not_reach_is_measured_later(
    machine: Callable[..., Any], runtime: RuntimeProcess, tmp_path: Path
) -> None:
    path, plan = tmp_path / "p.jsonl", small_plan(runtime)
    running, synthetic = campaign(machine, runtime, path, meter="auto", plan=Plan(plan.operators[:1], ()))
    with synthetic:
        running.run()
    first = path.read_bytes()
    running, synthetic = campaign(machine, runtime, path, meter="auto", plan=plan)
    with synthetic:
        running.run()
    assert path.read_bytes().startswith(first)
    profile = DeviceProfile.read(path)
    assert len([line for line in profile.lines if line["type"] == "energy"]) == len(plan.operators) + 1


def test_without_a_meter_nothing_is_invented(runtime: RuntimeProcess, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    Campaign(small_plan(runtime), path, runtime, settings=QUICK, meter="auto", root=tmp_path / "empty").run()
    profile = DeviceProfile.read(path)
    assert profile.header["energy"] == "unavailable"
    assert not [line for line in profile.lines if line["type"] == "energy"]
    assert all(m.energy_mj is None for m in [*profile.operators(), *profile.networks()])


def test_a_meter_that_cannot_be_read_says_why(rapl: Callable[..., Path], runtime: RuntimeProcess, tmp_path: Path) -> None:
    path, root, told = tmp_path / "p.jsonl", rapl(), list[str]()
    (root / "sys/class/powercap/intel-rapl:0/energy_uj").write_text("secret")
    Campaign(small_plan(runtime), path, runtime, settings=QUICK, meter="auto", root=root, notice=told.append).run()
    profile = DeviceProfile.read(path)
    assert profile.header["energy"] == "unavailable"
    (sentence,) = [s for s in profile.header["conditions"] if "Energy" in s]
    assert "energy_uj" in sentence
    assert sentence in told


def test_a_counter_that_stands_still_makes_energy_unavailable(rapl: Callable[..., Path], runtime: RuntimeProcess, tmp_path: Path) -> None:
    path, root = tmp_path / "p.jsonl", rapl(energy_uj=77)
    Campaign(small_plan(runtime), path, runtime, settings=QUICK, meter=PowercapMeter(root), root=root).run()
    profile = DeviceProfile.read(path)
    assert profile.header["energy"] == "unavailable"
    assert any("stands still" in sentence for sentence in profile.header["conditions"])


def test_another_meter_is_not_mixed_in(machine: Callable[..., Any], runtime: RuntimeProcess, tmp_path: Path) -> None:
    path, plan = tmp_path / "p.jsonl", small_plan(runtime)
    Campaign(Plan(plan.operators[:1], ()), path, runtime, settings=QUICK, root=tmp_path).run()
    running, synthetic = campaign(machine, runtime, path, meter="auto", plan=plan)
    with synthetic:
        running.run()
    profile = DeviceProfile.read(path)
    assert not [line for line in profile.lines if line["type"] == "energy"]
    last = [line for line in profile.lines if line["type"] == "conditions"][-1]
    assert any("begun with another meter" in sentence for sentence in last["before"])


def test_an_item_that_fails_and_a_meter_that_breaks(
    machine: Callable[..., Any], runtime: RuntimeProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, plan = tmp_path / "p.jsonl", small_plan(runtime)
    running, synthetic = campaign(machine, runtime, path, meter="auto", plan=plan)
    load, count = runtime.load, {True: 0, False: 0}

    def failing(model: bytes, isolated: bool) -> int:
        count[isolated] += 1
        if not isolated and count[False] > 1:  # the network was timed, and fails when its energy is measured
            raise RuntimeFailure("out of memory")
        return load(model, isolated)

    monkeypatch.setattr(runtime, "load", failing)
    with synthetic:
        running.run()
    profile = DeviceProfile.read(path)
    (failed,) = [line for line in profile.lines if line["type"] == "energy" and line["status"] == "failed" and "memory" in line["error"]]
    assert failed["of"] == "network/small"
    assert profile.networks()[0].energy_mj is None
    assert profile.failures() == []

    monkeypatch.setattr(runtime, "load", load)
    path = tmp_path / "q.jsonl"
    running, synthetic = campaign(machine, runtime, path, meter="auto", plan=plan)
    counter = synthetic.root / "sys/class/powercap/intel-rapl:0/energy_uj"

    def break_down(share: float, message: str) -> None:
        if "energy" in message:
            synthetic.__exit__(None, None, None)
            counter.unlink(missing_ok=True)

    running.progress = break_down
    synthetic.__enter__()
    running.run()
    profile = DeviceProfile.read(path)
    assert len(profile.operators()) == len(plan.operators)
    assert any("Energy stopped" in sentence for sentence in profile.lines[-1]["during"])


def test_a_window_with_too_few_readings_is_taken_again() -> None:
    tries: list[int] = []

    def window(good: int) -> int:
        tries.append(1)
        if len(tries) < good:
            raise GapError("too few")
        return 7

    assert _patiently(lambda: window(3)) == 7
    tries.clear()
    with pytest.raises(GapError):
        _patiently(lambda: window(4))
