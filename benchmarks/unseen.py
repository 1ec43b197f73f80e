"""Prices of real models that nobody saw in fitting: how wrong are they, and do their intervals hold?

    python benchmarks/zoo.py --out runs/zoo
    hwnas profile --out runs/atlas.jsonl --budget 30m
    python benchmarks/unseen.py --profile runs/atlas.jsonl --models runs/zoo [--budget 10m]

The models are timed whole, by the same protocol on the same device, into `--out` (a run that was interrupted goes on); nothing of them is
ever used in fitting. Beside the full predictor: what a user would do instead (MACs or bytes times a constant that is fitted on the whole
networks of the same profile), parts of the predictor, and the measurement repeated (even rounds against odd ones).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import save, table
from rounds import file_networks, light_networks

from device_profiles import protocol
from device_profiles.campaign import Campaign
from device_profiles.durations import seconds
from device_profiles.operators import Network, Node
from device_profiles.plan import Plan
from device_profiles.profile import DeviceProfile, NetworkMeasurement
from device_profiles.runtimes import RuntimeProcess
from predictors import NetworkPredictor
from predictors.evaluation import metrics

Vector = np.ndarray[Any, np.dtype[np.float64]]


def measure(models: Path, out: Path, profile: DeviceProfile, budget_s: float | None) -> None:
    """Times the models whole, on the device of the profile, corrected to the state in which that was measured."""
    runtime = profile.header["runtime"]
    with RuntimeProcess(runtime["name"], runtime["threads"], timeout_s=120) as process:
        plan = Plan((), (*file_networks(process, models), *light_networks(process)))
        Campaign(plan, out, process, budget_s=budget_s, progress=_show, known=profile.canary_windows()).run()


def _show(share: float, message: str) -> None:
    print(f"\r{share:4.0%} {message:60s}", end="", flush=True)


def constant(known: Sequence[NetworkMeasurement], judged: Sequence[NetworkMeasurement], work: str) -> Vector:
    """Work times a constant: the median over the known networks of their time per work."""
    rate = np.median([net.latency_ms.value / getattr(net, work) for net in known])
    return np.array([rate * getattr(net, work) for net in judged])


def executed(net: NetworkMeasurement) -> Network:
    """What a measured network executes; how its nodes are connected is not kept in a profile and does not matter for its price."""
    operators = [op for op, count in net.operators for _ in range(count)]
    names = [
        (tuple(f"{i}.in{k}" for k in range(len(op.inputs))), tuple(f"{i}.out{k}" for k in range(len(op.outputs))))
        for i, op in enumerate(operators)
    ]
    return Network(tuple(Node(op, str(i), *names[i]) for i, op in enumerate(operators)), {}, (), net.name)


def sums(device: NetworkPredictor, judged: Sequence[NetworkMeasurement]) -> Vector:
    """The prices of the operators of each network added up."""
    return np.array([sum(price.value for price in device.predict_operators(executed(net).operators)) for net in judged])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", type=Path, required=True)
    parser.add_argument("--models", type=Path, help="folder of ONNX files; without it, what --out holds already is judged")
    parser.add_argument("--out", type=Path, default=Path("runs/unseen.jsonl"), help="the measured models, a profile")
    parser.add_argument("--budget", help="time for measuring the models, such as 10m")
    arguments = parser.parse_args()
    profile = DeviceProfile.read(arguments.profile)
    if arguments.models is not None:
        measure(arguments.models, arguments.out, profile, seconds(arguments.budget))
    judged, known = DeviceProfile.read(arguments.out).networks(), profile.networks()
    device = NetworkPredictor().fit(profile)
    measured = np.array([net.latency_ms.value for net in judged])
    quantities = [device.predict(executed(net)).latency_ms for net in judged]
    values, low, high = (np.array([getattr(q, end) for q in quantities]) for end in ("value", "low", "high"))
    halves = [np.array([protocol.estimate(net.samples_ms[start::2]).value for net in judged]) for start in range(2)]
    rows = [
        {"method": "MACs x constant", **metrics(constant(known, judged, "macs"), measured)},
        {"method": "parameters x constant", **metrics(constant(known, judged, "params"), measured)},
        {"method": "sum of operators", **metrics(sums(device, judged), measured)},
        {"method": "hwnas", **metrics(values, measured, low, high)},
        {"method": "repeat ceiling", **metrics(halves[0], halves[1])},
    ]
    print(f"{len(judged)} models, {len(profile.operators())} operators, {len(known)} networks fitted on")
    print(table(rows))
    worst = sorted(zip(judged, values, low, high, strict=True), key=lambda row: -abs(np.log(row[1] / row[0].latency_ms.value)))
    nets = [
        {"model": net.name, "measured_ms": net.latency_ms.value, "predicted_ms": value, "low": lo, "high": hi,
         "error": value / net.latency_ms.value - 1}
        for net, value, lo, hi in worst
    ]  # fmt: skip
    print(table(nets[:12]))
    save("unseen", {"profile": {"operators": len(profile.operators()), "networks": len(known)}, "rows": rows, "models": nets})


if __name__ == "__main__":
    main()
