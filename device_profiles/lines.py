"""What was measured of one item as a line of the profile."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles import protocol
from device_profiles.drift import Drift
from device_profiles.operators import Operator
from device_profiles.plan import WholeNetwork
from device_profiles.quantity import Quantity


def operator_line(
    key: str, op: Operator, raw: npt.NDArray[np.float64], copies: int, floor_ms: float, over: Drift, min_rounds: int
) -> dict[str, Any]:
    """The profile line of an operator from its raw rounds: the empty call is subtracted, and the rest divided by the copies."""
    # A kernel cheaper than the clock can tell still takes some time: never 0.
    samples = raw.copy()
    samples[:, :4] = np.maximum((raw[:, :4] - floor_ms) / copies, 1e-6)
    if samples.shape[1] > 4:
        samples[samples[:, 4] == 0, 3] = 0.0
    line = {
        "type": "operator", "key": key, "status": "ok", "operator": op.to_json(),
        "copies": copies, "floor_ms": _short(floor_ms), **_numbers(samples, over, min_rounds),
    }  # fmt: skip
    if protocol.estimate(samples).value <= 2e-6:
        line["warnings"].append("below what the clock can tell")
    return line


def network_line(key: str, net: WholeNetwork, raw: npt.NDArray[np.float64], over: Drift, min_rounds: int) -> dict[str, Any]:
    """The profile line of a whole network: nothing is subtracted, a user pays for the call too."""
    executed = net.executed
    return {
        "type": "network", "key": key, "status": "ok", "name": net.name,
        "operators": [[op.to_json(), count] for op, count in executed.counts()],
        "macs": executed.macs, "params": executed.params, "peak_activation_bytes": executed.peak_activation_bytes,
        **_numbers(raw, over, min_rounds),
    }  # fmt: skip


def _numbers(samples: npt.NDArray[np.float64], over: Drift, min_rounds: int) -> dict[str, Any]:
    """What both kinds of lines say about their rounds; `drift` is what the headline was corrected by (1 for not at all)."""
    quantity = over.corrected(protocol.estimate(samples))
    latency = Quantity(_short(quantity.value), _short(quantity.low), _short(quantity.high), quantity.origin)
    return {
        "latency_ms": latency.to_json(),
        "median_ms": _short(float(np.median(samples[:, 1]))),
        "p95_ms": _short(float(np.median(samples[:, 2]))),
        "drift": _short(over.ratio) if over.significant else 1.0,
        "samples_ms": [[_short(v) for v in row] for row in samples],
        "warnings": protocol.warnings(quantity, len(samples), over.ratio - 1, min_rounds),
    }


def _short(value: float) -> float:
    """Seven digits: far below what can be measured, and readable."""
    return float(f"{value:.7g}")


def failed_line(key: str, subject: Operator | WholeNetwork, error: str) -> dict[str, Any]:
    """The profile line of an item that could not be measured."""
    kind = "operator" if isinstance(subject, Operator) else "network"
    line: dict[str, Any] = {"type": kind, "key": key, "status": "failed", "error": error}
    if isinstance(subject, Operator):
        line["operator"] = subject.to_json()
    return line
