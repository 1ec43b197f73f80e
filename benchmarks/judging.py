"""What the benchmarks of predictors share: models timed whole on the device of a profile, and methods judged on them side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rounds import light_networks

from device_profiles import protocol
from device_profiles.campaign import Campaign
from device_profiles.durations import seconds
from device_profiles.operators import Network, Node
from device_profiles.plan import Plan, WholeNetwork
from device_profiles.profile import DeviceProfile, NetworkMeasurement
from device_profiles.runtimes import RuntimeProcess
from predictors import NetworkPredictor
from predictors.evaluation import metrics
from predictors.network_fit import network_terms

Vector = np.ndarray[Any, np.dtype[np.float64]]


def time_whole(runtime: RuntimeProcess, networks: Sequence[WholeNetwork], out: Path, profile: DeviceProfile, budget: str | None) -> None:
    """Times networks whole into the profile `out`, or goes on with it, corrected to the state in which `profile` was measured."""
    plan = Plan((), (*networks, *light_networks(runtime)))
    known = {key: q.value for key, q in profile.canaries().items()}
    Campaign(plan, out, runtime, budget_s=seconds(budget), progress=_show, known=known).run()
    print(flush=True)


def _show(share: float, message: str) -> None:
    print(f"\r{share:4.0%} {message:60s}", end="", flush=True)


def latencies(networks: Sequence[NetworkMeasurement]) -> Vector:
    """Measured ms, `(n,)`."""
    return np.array([net.latency_ms.value for net in networks])


def constant(known: Sequence[NetworkMeasurement], judged: Sequence[NetworkMeasurement], work: str) -> Vector:
    """Work times a constant: the median over the known networks of their time per work."""
    rate = np.median([net.latency_ms.value / getattr(net, work) for net in known])
    return np.array([rate * getattr(net, work) for net in judged])


def ceiling(networks: Sequence[NetworkMeasurement]) -> tuple[Vector, Vector]:
    """The measurement from even rounds, and that from odd ones."""
    even, odd = (np.array([protocol.estimate(net.samples_ms[start::2]).value for net in networks]) for start in range(2))
    return even, odd


def executed(net: NetworkMeasurement) -> Network:
    """What a measured network executes; how its nodes are connected is not kept in a profile and does not matter for its price."""
    operators = [op for op, count in net.operators for _ in range(count)]
    names = [
        (tuple(f"{i}.in{k}" for k in range(len(op.inputs))), tuple(f"{i}.out{k}" for k in range(len(op.outputs))))
        for i, op in enumerate(operators)
    ]
    return Network(tuple(Node(op, str(i), *names[i]) for i, op in enumerate(operators)), {}, (), net.name)


def judge(
    device: NetworkPredictor, known: Sequence[NetworkMeasurement], judged: Sequence[NetworkMeasurement]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The table of methods on networks nobody fitted on, and a row per network, worst first."""
    measured = latencies(judged)
    quantities = [device.predict(executed(net)).latency_ms for net in judged]
    values, low, high = (np.array([getattr(q, end) for q in quantities]) for end in ("value", "low", "high"))
    rows = [
        {"method": "MACs x constant", **metrics(constant(known, judged, "macs"), measured)},
        {"method": "parameters x constant", **metrics(constant(known, judged, "params"), measured)},
        {"method": "sum of operators", **metrics(network_terms(device.pricer_, judged, {})[0][:, 0], measured)},
        {"method": "hwnas", **metrics(values, measured, low, high)},
        {"method": "repeat ceiling", **metrics(*ceiling(judged))},
    ]
    nets = [
        {"model": net.name, "measured_ms": net.latency_ms.value, "predicted_ms": value, "low": lo, "high": hi,
         "error": value / net.latency_ms.value - 1}
        for net, value, lo, hi in zip(judged, values.tolist(), low.tolist(), high.tolist(), strict=True)
    ]  # fmt: skip
    return rows, sorted(nets, key=lambda row: -abs(np.log(row["predicted_ms"] / row["measured_ms"])))
