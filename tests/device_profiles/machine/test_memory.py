from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from device_profiles import onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.campaign import Campaign
from device_profiles.items import background_items
from device_profiles.machine import memory
from device_profiles.operators import Network, Tensor
from device_profiles.plan import Plan, WholeNetwork
from device_profiles.profile import DeviceProfile
from device_profiles.protocol import Protocol
from device_profiles.proxies import proxies
from device_profiles.runtimes import RuntimeFailure, RuntimeProcess

QUICK = Protocol(block_ms=1.0, min_rounds=3, max_rounds=3, prelude_rounds=2, quiet=0.0)


def wide(side: int, channels: int = 8) -> Network:
    net = NetworkBuilder(f"side{side}", {"x": Tensor((1, channels, side, side))})
    x = net.conv("a", "x", channels, 3)
    return net.build(net.add("c", x, net.conv("b", x, channels, 3)))


def whole(runtime: RuntimeProcess, net: Network) -> WholeNetwork:
    model = onnx_io.network_model(net)
    return WholeNetwork(net.name, model, runtime.executed_graph(model))


def test_growth_is_what_an_action_takes() -> None:
    # In a process of its own: of one that holds much for long the kernel may take idle pages back meanwhile.
    program = "import numpy; from device_profiles.machine.memory import growth; print(growth(lambda: numpy.ones(8_000_000)), growth(int))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    large, none = map(int, done.stdout.split())
    assert 64e6 <= large < 70e6
    assert none < 3e6  # the peak of before is forgotten
    assert memory.peak_bytes() > 10e6


def test_where_the_kernel_tells_less(tmp_path: Path) -> None:
    assert memory.peak_bytes(tmp_path) > 10e6  # from getrusage
    (tmp_path / "status").write_text("Name:\tx\nVmHWM:\t  2048 kB\n")
    assert memory.peak_bytes(tmp_path) == 2 << 20
    assert memory.growth(lambda: (tmp_path / "status").write_text("VmHWM:\t3072 kB\n"), tmp_path) == 1 << 20


def test_a_larger_network_needs_more_and_never_less_than_what_lives(runtime: RuntimeProcess) -> None:
    empty = background_items()[0].model()
    small, large = (whole(runtime, wide(side)) for side in (64, 512))
    peaks = [runtime.peak_memory(net.model, empty) / 1e6 for net in (small, large)]
    needed = [proxies(net.executed).memory_mb for net in (small, large)]
    assert peaks[1] > needed[1] > 10
    assert peaks[1] - peaks[0] > 0.9 * (needed[1] - needed[0])


def test_a_campaign_writes_memory_beside_the_times_once(runtime: RuntimeProcess, tmp_path: Path) -> None:
    path, plan = tmp_path / "p.jsonl", Plan((), (whole(runtime, wide(256)),))
    Campaign(plan, path, runtime, settings=QUICK, memory=True).run()
    (measured,) = DeviceProfile.read(path).networks()
    assert measured.memory_mb is not None
    assert measured.memory_mb.value > proxies(plan.networks[0].executed).memory_mb
    assert measured.memory_mb.low < measured.memory_mb.value < measured.memory_mb.high
    before = path.read_bytes()
    Campaign(plan, path, runtime, settings=QUICK, memory=True).run()
    assert path.read_bytes() == before
    off = tmp_path / "off.jsonl"
    Campaign(plan, off, runtime, settings=QUICK).run()
    assert DeviceProfile.read(off).networks()[0].memory_mb is None


def test_a_failure_is_recorded(runtime: RuntimeProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(model: bytes, empty: bytes) -> int:
        raise RuntimeFailure("no memory left")

    monkeypatch.setattr(runtime, "peak_memory", failing)
    path = tmp_path / "p.jsonl"
    Campaign(Plan((), (whole(runtime, wide(16)),)), path, runtime, settings=QUICK, memory=True).run()
    profile = DeviceProfile.read(path)
    assert profile.networks()[0].memory_mb is None
    (line,) = [line for line in profile.lines if line["type"] == "memory"]
    assert (line["status"], line["error"]) == ("failed", "no memory left")
