from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_profiles import onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.campaign import Campaign
from device_profiles.drift import compare, drift
from device_profiles.items import Item, background_items
from device_profiles.operators import Tensor
from device_profiles.plan import Plan, WholeNetwork
from device_profiles.profile import DeviceProfile
from device_profiles.protocol import Protocol
from device_profiles.quantity import Quantity
from device_profiles.runtimes import RuntimeProcess


def canary(name: str, windows: np.ndarray) -> Item:
    item = background_items()[1]
    item.key, item.numbers = name, list(range(len(windows)))
    item.rounds = [[w, w, w] for w in windows.tolist()]
    return item


def pair(slow_from: int, by: tuple[float, float], rounds: int = 80) -> list[Item]:
    rng = np.random.default_rng(0)
    quiet = 1 + rng.exponential(0.003, (2, rounds))
    quiet[0, slow_from:] *= by[0]
    quiet[1, slow_from:] *= by[1]
    return [canary("canary/a", quiet[0]), canary("canary/b", 0.3 * quiet[1])]


def test_a_quiet_device_has_not_drifted() -> None:
    found = drift(pair(80, (1, 1)), [5, 60], {}, {}, 0.0)
    assert found.ratio == pytest.approx(1, abs=0.01)
    assert not found.significant
    quantity = Quantity(2.0, 1.9, 2.1, "measured")
    assert found.corrected(quantity) == quantity


def test_what_was_timed_while_the_device_was_slow_is_corrected() -> None:
    canaries = pair(40, (1.3, 1.3))
    assert drift(canaries, [0, 39], {}, {}, 0.0).ratio == pytest.approx(1, abs=0.01)
    late = drift(canaries, [45, 79], {}, {}, 0.0)
    assert late.ratio == pytest.approx(1.3, rel=0.01)
    corrected = late.corrected(Quantity(2.6, 2.58, 2.62, "measured"))
    assert corrected.value == pytest.approx(2.0, rel=0.01)
    # What saw both halves has its fastest rounds in the first, as the canaries have.
    assert drift(canaries, [0, 79], {}, {}, 0.0).ratio == pytest.approx(1, abs=0.01)


def test_canaries_that_disagree_widen_the_interval() -> None:
    alike, apart = (drift(pair(40, by), [45, 79], {}, {}, 0.0) for by in ((1.3, 1.3), (1.5, 1.1)))
    quantity = Quantity(2.0, 1.98, 2.02, "measured")
    widths = [q.high / q.low for q in (alike.corrected(quantity), apart.corrected(quantity))]
    assert widths[0] < 1.05
    assert widths[1] > 1.3


def test_earlier_campaigns_know_what_the_best_is() -> None:
    canaries = pair(0, (1.2, 1.2))
    assert not drift(canaries, [0, 79], {}, {}, 0.0).significant
    earlier = {"canary/a": [[1.0] * 3] * 20, "canary/b": [[0.3] * 3] * 20}
    assert drift(canaries, [0, 79], earlier, {}, 0.0).ratio == pytest.approx(1.2, rel=0.01)
    assert drift(canaries, [0, 79], {}, {"canary/a": 1.0, "canary/b": 0.3}, 0.0).ratio == pytest.approx(1.2, rel=0.01)


def test_comparison_of_two_times() -> None:
    before = {"canary/a": Quantity(1.0, 0.99, 1.01, "measured"), "canary/b": Quantity(0.3, 0.297, 0.303, "measured")}
    slower = {key: Quantity(q.value * 1.1, q.low * 1.1, q.high * 1.1, q.origin) for key, q in before.items()}
    found = compare(slower, before)
    assert found is not None
    assert found.value == pytest.approx(1.1)
    assert 1.08 < found.low < 1.1 < found.high < 1.12
    assert compare({}, before) is None


class Throttled:
    """A runtime whose device gets half as fast after a number of timings: time is counted here, not on the clock."""

    def __init__(self, inner: RuntimeProcess, after: int) -> None:
        self.inner, self.after, self.count = inner, after, 0
        self.times: dict[int, float] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def load(self, model: bytes, isolated: bool) -> int:
        handle = self.inner.load(model, isolated)
        self.times[handle] = 1e4 + len(model)
        return handle

    def block(self, handle: int, **options: Any) -> tuple[np.ndarray, None]:
        self.count += 1
        slow = 2 if self.count > self.after else 1
        return np.full(20, int(slow * self.times[handle]), dtype=np.int64), None


def test_a_device_that_throttles_half_way_gives_the_profile_of_one_that_does_not(runtime: RuntimeProcess, tmp_path: Path) -> None:
    net = NetworkBuilder("n", {"x": Tensor((1, 8, 8, 8))})
    model = onnx_io.network_model(net.build(net.conv("c", "x", 8, 1)))
    executed = runtime.executed_graph(model)
    networks = tuple(WholeNetwork(f"n{i}", model, executed) for i in range(2))
    settings = Protocol(min_rounds=20, max_rounds=20, prelude_rounds=10, quiet=0.0)
    found = []
    for after in (10**9, 3 * 10 + 4 * 20 + 1):
        path, device = tmp_path / f"{after}.jsonl", Throttled(runtime, after)
        Campaign(Plan((), networks[:1]), path, device, settings=settings).run()  # type: ignore[arg-type]
        Campaign(Plan((), networks), path, device, settings=settings).run()  # type: ignore[arg-type]
        found.append(DeviceProfile.read(path).networks())
    for calm, throttled in zip(*found, strict=True):
        assert throttled.latency_ms.value == pytest.approx(calm.latency_ms.value, rel=0.01)
    assert found[1][0].warnings == ()
    assert found[1][1].warnings == ("drift: the device ran 100% slower than at its best; corrected by that much",)
    assert np.allclose(found[1][1].samples_ms, 2 * found[0][1].samples_ms, rtol=0.01)  # samples stay as they were measured
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    assert [line["drift"] for line in lines if line["type"] == "network"] == pytest.approx([1, 2], rel=0.01)


def test_a_campaign_knows_what_the_device_could_do_at_another_time(runtime: RuntimeProcess, tmp_path: Path) -> None:
    net = NetworkBuilder("n", {"x": Tensor((1, 8, 8, 8))})
    model = onnx_io.network_model(net.build(net.conv("c", "x", 8, 1)))
    plan = Plan((), (WholeNetwork("n", model, runtime.executed_graph(model)),))
    settings = Protocol(min_rounds=6, max_rounds=6, prelude_rounds=6, quiet=0.0)
    device: Any = Throttled(runtime, 10**9)
    Campaign(plan, tmp_path / "then.jsonl", device, settings=settings).run()
    then = DeviceProfile.read(tmp_path / "then.jsonl")
    slow: Any = Throttled(runtime, 0)
    known = {key: quantity.value for key, quantity in then.canaries().items()}
    Campaign(plan, tmp_path / "now.jsonl", slow, settings=settings, known=known).run()
    now = DeviceProfile.read(tmp_path / "now.jsonl").networks()[0]
    assert now.latency_ms.value == pytest.approx(then.networks()[0].latency_ms.value, rel=0.01)
    assert "drift: the device ran 100% slower" in now.warnings[0]


def test_canaries_are_compared_by_their_quiet_calls_as_far_as_those_count() -> None:
    """The device gets 30 % slower for good; what is not quiet says nothing of it."""
    rng = np.random.default_rng(0)
    canaries = [canary(name, np.ones(96)) for name in ("canary/a", "canary/b")]
    for item in canaries:
        slow = np.where(np.arange(96) < 48, 1.0, 1.3) * (1 + rng.exponential(0.003, 96))
        item.rounds = [[1.0, 1.5, 2.0, value, 8.0] for value in slow.tolist()]
    assert drift(canaries, [60, 90], {}, {}, 1.0).ratio == pytest.approx(1.3, rel=0.01)
    assert drift(canaries, [60, 90], {}, {}, 0.5).ratio == pytest.approx(1.3**0.5, rel=0.01)
    assert drift(canaries, [60, 90], {}, {}, 0.0).ratio == 1.0
    assert drift(canaries, [0, 40], {}, {}, 1.0).ratio == pytest.approx(1, abs=0.01)
    assert drift(canaries, [0, 40], {}, {"canary/a": 0.8, "canary/b": 0.8}, 1.0).ratio == pytest.approx(1.25, rel=0.01)
