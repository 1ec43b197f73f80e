"""What the sampler of the energy meters costs the timing of whatever runs meanwhile.

    python benchmarks/energy_overhead.py [--rounds 60]

Blocks of one network, with and without the sampler, in pairs whose order alternates, so that a slow minute hits both alike. Without a meter
on this machine the sampler reads ordinary files with the contents that sysfs shows: the work of the thread is the same, the work of the
sensor behind the file is not in it. No energy is taken from the latency blocks of a campaign; this tells what it would cost.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from common import save, table

from device_profiles.energy import Meter, find
from device_profiles.energy.hwmon import HwmonMeter
from device_profiles.energy.powercap import PowercapMeter
from device_profiles.energy.recorder import Recorder
from device_profiles.graphs.graph import name_nodes
from device_profiles.graphs.weights import fill_weights
from device_profiles.protocol import Protocol, block_summary, low_mean
from device_profiles.runtimes import RuntimeProcess

NETWORKS = ("light_shufflenet", "light_squeezenet", "light_inception_v1")
LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
SETTINGS, BLOCK_MS, SHARE_S = Protocol(), 60, 3.0

_POWERCAP = {"name": "package-0", "energy_uj": "123456789", "max_energy_range_uj": "262143328850"}
_RAILS = {"name": "ina3221", "in1_label": "VDD_IN", "in1_input": "5000", "curr1_input": "900"}


def meters(folder: Path) -> dict[str, Meter]:
    """The meters of this machine, or synthetic ones of both kinds."""
    real = {f"{meter.name} (this machine)": meter for meter in find("/")}
    if real:
        return real
    for place, files in (("powercap/intel-rapl:0", _POWERCAP), ("hwmon/hwmon0", _RAILS)):
        (folder / "sys/class" / place).mkdir(parents=True)
        for name, text in files.items():
            (folder / "sys/class" / place / name).write_text(text)
    return {"rapl (files)": PowercapMeter(folder), "hwmon (files)": HwmonMeter(folder)}


def block(runtime: RuntimeProcess, handle: int) -> list[float]:
    """One block as a campaign takes it: its fastest window, the median call and the 95th percentile, in ms."""
    times = runtime.time(handle, warmup=2, block_ns=BLOCK_MS * 1_000_000, min_calls=2, max_calls=100_000)
    return block_summary(times, SETTINGS.window_us)


def compare(runtime: RuntimeProcess, network: str, name: str, meter: Meter, rounds: int) -> dict[str, Any]:
    """Pairs of blocks without and with the sampler: how much the headline and the median call differ, with a 90 % bootstrap interval."""
    handle = runtime.load(fill_weights(name_nodes((LIGHT / f"{network}.onnx").read_bytes())), False)
    samples = np.empty((2, rounds, 3))
    for index in range(rounds):
        for sampled in (index % 2, 1 - index % 2):
            with Recorder(meter) if sampled else nullcontext():
                samples[sampled, index] = block(runtime, handle)
    runtime.unload(handle)
    draws = np.random.default_rng(0).integers(0, rounds, (2000, rounds))
    low = low_mean(samples[1, :, 0][draws]) / low_mean(samples[0, :, 0][draws])
    return {
        "network": network.removeprefix("light_"),
        "threads": runtime.threads,
        "sampler": name,
        "ms without": float(low_mean(samples[0, :, 0])),
        "overhead %": float(low_mean(samples[1, :, 0]) / low_mean(samples[0, :, 0]) - 1) * 100,
        "low %": float(np.quantile(low, 0.05) - 1) * 100,
        "high %": float(np.quantile(low, 0.95) - 1) * 100,
        "of the median %": float(np.exp(np.median(np.log(samples[1, :, 1] / samples[0, :, 1]))) - 1) * 100,
    }


def processor_share(meter: Meter) -> float:
    """Share of one core that the sampler uses, in percent: what it would cost at most on a machine without an idle core."""
    with Recorder(meter):
        time.sleep(0.1)
        used = time.process_time()
        time.sleep(SHARE_S)
        return (time.process_time() - used) / SHARE_S * 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60, help="pairs of blocks per row")
    rounds = parser.parse_args().rounds
    rows, shares = list[dict[str, Any]](), list[dict[str, Any]]()
    with tempfile.TemporaryDirectory() as folder:
        for name, meter in meters(Path(folder)).items():
            share = processor_share(meter)
            shares.append({"sampler": name, "every ms": Recorder(meter).poll_s * 1e3, "share of one core %": share})
            for threads in (1, 2):
                with RuntimeProcess("onnxruntime", threads) as runtime:
                    rows += [compare(runtime, network, name, meter, rounds) for network in NETWORKS]
    print(table(rows))
    print(table(shares))
    typical = float(np.median([row["overhead %"] for row in rows]))
    print(f"median overhead {typical:+.2f} % (wanted: <= 1 %)")
    save("energy_overhead", {"block_ms": BLOCK_MS, "pairs": rounds, "median_overhead_percent": typical, "rows": rows, "shares": shares})


if __name__ == "__main__":
    main()
