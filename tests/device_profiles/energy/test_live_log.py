"""A campaign that reads a log which another process writes meanwhile, as a bench meter's program does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_profiles import energy, onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.campaign import Campaign
from device_profiles.energy import MeterError
from device_profiles.operators import Tensor
from device_profiles.plan import WholeNetwork, make_plan
from device_profiles.profile import DeviceProfile
from device_profiles.protocol import Protocol
from device_profiles.runtimes import RuntimeProcess

QUICK = Protocol(block_ms=1.0, min_rounds=3, max_rounds=3, call_us=50.0, max_copies=4, prelude_rounds=3, quiet=0.0)

IDLE_W, BUSY_W = 2.0, 8.0

#: A meter of one process: so many watts at rest, and more by the share of a core that it uses, every ten milliseconds.
METER = f"""
import sys, time
pid, path = sys.argv[1:]
used = lambda: int(open(f"/proc/{{pid}}/schedstat").read().split()[0]) / 1e9
with open(path, "w", buffering=1) as log:
    print("seconds,watts", file=log)
    then, before = time.time(), used()
    while True:
        time.sleep(0.01)
        now, after = time.time(), used()
        print(f"{{now:.6f}},{{{IDLE_W} + {BUSY_W} * (after - before) / (now - then):.4f}}", file=log)
        then, before = now, after
"""


@pytest.fixture
def log(runtime: RuntimeProcess, tmp_path: Path) -> Iterator[Path]:
    pid = runtime.usage()["pid"]
    if not Path(f"/proc/{pid}/schedstat").exists():
        pytest.skip("this kernel does not tell the processor time of a process in nanoseconds")
    path = tmp_path / "meter.csv"
    process = subprocess.Popen([sys.executable, "-c", METER, str(pid), str(path)])
    try:
        while process.poll() is None and not (path.exists() and path.stat().st_size > 200):
            time.sleep(0.05)
        yield path
    finally:
        process.kill()
        process.wait()


def test_energy_from_the_log_of_another_process(log: Path, runtime: RuntimeProcess, tmp_path: Path) -> None:
    net = NetworkBuilder("small", {"x": Tensor((1, 16, 48, 48))})
    model = onnx_io.network_model(net.build(net.conv("b", net.conv("a", "x", 32, 3), 32, 3)))
    whole = WholeNetwork("small", model, runtime.executed_graph(model))
    out = tmp_path / "p.jsonl"
    meter = energy.choose(f"log:{log}", str(runtime.fingerprint()["provider"]))
    Campaign(make_plan([], [whole]), out, runtime, settings=QUICK, meter=meter).run()
    profile = DeviceProfile.read(out)
    header = profile.header["energy"]
    assert (header["meter"], header["rails"], header["unit"]) == ("log", ["meter.csv"], "W")
    assert header["idle_w"]["value"] == pytest.approx(IDLE_W, rel=0.2)
    (measured,) = profile.networks()
    (line,) = [line for line in profile.lines if line["type"] == "energy"]
    assert line["status"] == "ok", line
    call_ms = sum(run[2] for run in line["runs"]) / len(line["runs"])
    # A call keeps its core busy for as long as it runs, or for a part of that where other programs want the core too.
    assert measured.energy_mj is not None
    assert 0 < measured.energy_mj.value < 1.3 * BUSY_W * call_ms
    for watts, at_rest, _, _ in line["runs"]:  # the rows of the log lie where the runs and the rests were
        assert at_rest == pytest.approx(IDLE_W, rel=0.2)
        assert IDLE_W + 0.05 * BUSY_W < watts < IDLE_W + 1.2 * BUSY_W


def test_a_log_that_nobody_writes_any_more(tmp_path: Path) -> None:
    path = tmp_path / "meter.csv"
    long_ago = time.time() - 3600
    path.write_text("".join(f"{long_ago + i / 100:.3f},3.0\n" for i in range(50)))
    with pytest.raises(MeterError, match=r"newest row is 3600 s old; the meter must be running") as caught:
        energy.choose(f"log:{path}", "CPU")
    assert "\n" not in str(caught.value)
    path.write_text("".join(f"{long_ago + 7200 + i / 100:.3f},3.0\n" for i in range(50)))
    with pytest.raises(MeterError, match="ahead of this machine's clock"):
        energy.choose(f"log:{path}", "CPU")
