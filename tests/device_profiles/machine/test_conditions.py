from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from device_profiles import onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.campaign import Campaign
from device_profiles.machine import conditions, host
from device_profiles.operators import Tensor
from device_profiles.plan import make_plan
from device_profiles.profile import DeviceProfile
from device_profiles.protocol import Protocol
from device_profiles.runtimes import RuntimeProcess

QUIET = {"proc/loadavg": "0.10 0.20 0.30 1/100 1234", "proc/stat": "cpu  1000 0 500 90000 10 0 5 0 0 0\ncpu0 1 2 3"}


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[dict[str, object]], Path]:
    def put(files: dict[str, object]) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")
        return tmp_path

    return put


Tree = Callable[[dict[str, object]], Path]


def firmware(root: Path, flags: str) -> Path:
    tool = root / "usr/bin/vcgencmd"
    tool.parent.mkdir(parents=True, exist_ok=True)
    tool.write_text(f'#!/bin/sh\ntest "$1" = get_throttled && echo throttled={flags}\n')
    tool.chmod(0o755)
    return root


def cores(governor: str, now_mhz: int, most_mhz: int = 2400, count: int = 4) -> dict[str, object]:
    base = "sys/devices/system/cpu/cpu"
    return {
        f"{base}{i}/cpufreq/{name}": value
        for i in range(count)
        for name, value in (("scaling_governor", governor), ("scaling_cur_freq", now_mhz * 1000), ("cpuinfo_max_freq", most_mhz * 1000))
    }


def zone(celsius: float, passive: float | None = 80.0) -> dict[str, object]:
    base = "sys/class/thermal/thermal_zone0"
    files: dict[str, object] = {f"{base}/type": "cpu-thermal", f"{base}/temp": int(celsius * 1000)}
    files |= {f"{base}/trip_point_0_type": "critical", f"{base}/trip_point_0_temp": 110_000}
    if passive is not None:
        files |= {f"{base}/trip_point_1_type": "passive", f"{base}/trip_point_1_temp": int(passive * 1000)}
    return files


def test_a_quiet_and_steady_machine_gives_no_sentence(tree: Tree) -> None:
    root = tree({**QUIET, **cores("performance", 2400), **zone(50)})
    firmware(root, "0x0")
    assert conditions.before(root, 1) == []


def test_a_tree_without_anything_gives_no_sentence_and_no_guess(tmp_path: Path) -> None:
    assert conditions.before(tmp_path, 1) == []
    assert (host.cpu_times(tmp_path), host.load_average(tmp_path), host.zones(tmp_path)) == (None, None, [])
    assert (host.throttle_count(tmp_path), host.firmware_flags(tmp_path), host.cpu_quota(tmp_path)) == (None, None, None)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"proc/loadavg": "3.50 2 1 1/100 1"}, "The load average is 3.5, more than the 1 thread of this campaign explain."),
        (cores("ondemand", 600), "The frequency governor is ondemand: the clock follows the load"),
        (cores("performance", 600), "4 of 4 cores run at 600 MHz, below their highest clock."),
        ({"sys/fs/cgroup/cpu.max": "50000 100000"}, "This container may use 0.5 cores, fewer than the 1 thread"),
        (
            {"sys/class/power_supply/BAT0/type": "Battery", "sys/class/power_supply/BAT0/status": "Discharging"},
            "The machine runs on its battery (BAT0)",
        ),
    ],
)
def test_each_finding_is_one_plain_sentence(tree: Tree, files: dict[str, object], sentence: str) -> None:
    (found,) = conditions.before(tree({**QUIET, **files}), 1)
    assert found.startswith(sentence)
    assert found.endswith(".")


def test_batteries_that_do_not_matter(tree: Tree) -> None:
    mouse = "sys/class/power_supply/hidpp_battery_0"
    root = tree({f"{mouse}/type": "Battery", f"{mouse}/status": "Discharging", f"{mouse}/scope": "Device"})
    assert host.discharging(root) is None
    tree({"sys/class/power_supply/BAT1/type": "Battery", "sys/class/power_supply/BAT1/status": "Charging"})
    assert host.discharging(root) is None


def test_flags_of_the_firmware_now_and_since_the_start(tmp_path: Path) -> None:
    assert conditions.before(firmware(tmp_path, "0x50005"), 1) == [
        "The firmware says that the supply voltage is too low.",
        "The firmware says that the processor is throttled.",
    ]
    assert conditions.before(firmware(tmp_path, "0x20000"), 1) == ["Since its start it has happened that the clock is capped."]
    assert conditions.before(firmware(tmp_path, "nonsense"), 1) == []


def test_more_threads_than_cores(tmp_path: Path) -> None:
    (sentence,) = conditions.before(tmp_path, 4096)
    assert sentence.startswith("4096 threads are asked for, but only")


def test_another_busy_process_is_seen() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:  # it may take a moment until it runs
            if any(s.startswith("Other processes use") for s in conditions.before(Path("/"), 1)):
                return
        pytest.fail("a process that runs all the time was not seen")
    finally:
        busy.kill()
        busy.wait()


def test_the_gate_waits_only_above_the_passive_limit(tree: Tree) -> None:
    slept: list[float] = []

    def cooling(seconds: float) -> None:
        slept.append(seconds)
        tree(zone(86 - 2 * len(slept)))

    assert conditions.cool_down(tree(zone(95, passive=None)), 60, cooling) is None
    assert conditions.cool_down(tree(zone(79.9)), 60, cooling) is None
    assert slept == []
    sentence = conditions.cool_down(tree(zone(86)), 60, cooling)
    assert sentence == "Waited 3 s until cpu-thermal was below its passive limit of 80 C (86 C at first)."
    assert slept == [1.0, 1.0, 1.0]


def test_the_gate_gives_up_after_its_limit_and_says_so(tree: Tree) -> None:
    slept: list[float] = []
    sentence = conditions.cool_down(tree(zone(90)), 5, slept.append)
    assert len(slept) == 5
    assert sentence == "cpu-thermal stayed at 90 C, above its passive limit of 80 C, for 5 s; measured all the same, so times are too long."


class Child:
    """A runtime that says what it has used."""

    threads, generation, cpu_s = 1, 0, 0.0

    def usage(self) -> dict[str, Any]:
        return {"pid": 0, "cpu_s": self.cpu_s}


def looked(watch: conditions.Watch) -> None:
    """A look as if 10 s had passed."""
    watch._time_s -= 10.0
    watch._own_s = sum(os.times()[:2])
    watch.look()


def stat(busy_s: float, stolen_s: float = 0.0) -> dict[str, object]:
    return {"proc/stat": f"cpu  {int(busy_s * 100)} 0 0 90000 10 0 0 {int(stolen_s * 100)} 0 0"}


def test_the_watch_tells_what_others_used_and_not_what_we_did(tree: Tree) -> None:
    child: Any = Child()
    watch = conditions.Watch(tree(stat(100)), child)
    child.cpu_s = 9.5
    tree(stat(109.5))
    looked(watch)
    assert watch.findings() == []
    child.cpu_s = 19.0
    tree(stat(124.0, 3.0))  # 14.5 s more, 9.5 of them ours
    looked(watch)
    assert watch.findings() == [
        "Other processes used 0.2 cores on average, 0.5 at most.",
        "The hypervisor withheld 0.1 cores on average, 0.3 at most.",
    ]


def test_the_watch_tells_threads_that_nobody_asked_for(tree: Tree) -> None:
    child: Any = Child()
    watch = conditions.Watch(tree(stat(100)), child)
    child.cpu_s = 39.0
    tree(stat(139))
    looked(watch)
    assert watch.findings() == ["The runtime used 3.9 cores although 1 thread were asked for."]


def test_a_new_child_is_not_taken_for_others(tree: Tree) -> None:
    child: Any = Child()
    child.cpu_s = 50.0
    watch = conditions.Watch(tree(stat(100)), child)
    child.cpu_s, child.generation = 2.0, 1  # the old child died; what it used is unknown
    tree(stat(110))
    looked(watch)
    assert watch.findings() == []


def test_the_watch_tells_what_changed(tree: Tree) -> None:
    base = "sys/devices/system/cpu/cpu0/thermal_throttle"
    battery = "sys/class/power_supply/BAT0"
    root = tree({
        **cores("performance", 2400), f"{base}/core_throttle_count": 3, f"{base}/package_throttle_count": 4,
        f"{battery}/type": "Battery", f"{battery}/status": "Full",
    })  # fmt: skip
    firmware(root, "0x10000")
    child: Any = Child()
    watch = conditions.Watch(root, child)
    assert watch.findings() == []
    tree({**cores("powersave", 800), f"{base}/core_throttle_count": 5, f"{battery}/status": "Discharging"})
    firmware(root, "0x50004")
    looked(watch)
    looked(watch)
    assert watch.findings() == [
        "The processor was slowed down 2 times because of its heat.",
        "During the campaign it happened that the processor is throttled.",
        "The frequency governor became powersave.",
        "The machine went over to its battery (BAT0).",
    ]


def test_looks_are_rare(tree: Tree) -> None:
    child: Any = Child()
    watch = conditions.Watch(tree(stat(100)), child)
    tree(stat(200))
    watch.look()
    assert watch.findings() == []


def test_a_campaign_writes_down_what_it_was_measured_under(runtime: RuntimeProcess, tree: Tree, tmp_path: Path) -> None:
    root, path, told = tree({**QUIET, **cores("ondemand", 600)}), tmp_path / "p.jsonl", list[str]()
    net = NetworkBuilder("n", {"x": Tensor((1, 8, 8, 8))})
    executed = runtime.executed_graph(onnx_io.network_model(net.build(net.conv("c", "x", 8, 1))))
    settings = Protocol(block_ms=1.0, min_rounds=3, max_rounds=3, prelude_rounds=2, quiet=0.0)
    Campaign(make_plan([executed]), path, runtime, settings=settings, root=root, notice=told.append).run()
    profile = DeviceProfile.read(path)
    (sentence,) = profile.header["conditions"]
    assert sentence.startswith("The frequency governor is ondemand")
    assert told == [sentence]
    last = profile.lines[-1]
    assert (last["type"], last["key"], last["before"]) == ("conditions", "conditions/0", [sentence])
    assert last["during"] == []
