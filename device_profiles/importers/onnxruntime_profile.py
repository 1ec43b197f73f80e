"""The JSON that onnxruntime's own profiler writes (`session.end_profiling()`), as a profile of operators timed in their networks.

Assumed, as onnxruntime 1.17 to 1.31 write it: a list of events; those with `"cat": "Node"` and a name that ends in `_kernel_time` hold the
microseconds of one kernel in one run in `dur`, and in `args` its type `op_name`, `provider`, `input_type_shape` and `output_type_shape`
(`[{"float": [1, 3, 224, 224]}, ...]`, weights among the inputs) and `parameter_size` in bytes. Attributes are not in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from device_profiles.errors import InputError
from device_profiles.importers.table import read_bytes
from device_profiles.operators import Operator, Tensor
from device_profiles.profile import SCHEMA, DeviceProfile
from device_profiles.quantity import Quantity

#: Whole microseconds are written, so a kernel of 0 took up to half of one.
_RESOLUTION_MS = 0.0005

_DTYPES = {"float": "float32", "double": "float64"}

_NOTE = "in context: timed inside its network by onnxruntime's profiler, which adds its own time; attributes are not known"


def read_onnxruntime_profile(path: str | os.PathLike[str], *, device: str, threads: int) -> DeviceProfile:
    """A profile with one operator per kernel type and shapes, from the profiler's file of a device called `device`.

    Its numbers have the origin `published`: they were not measured by the protocol of hwnas, and no predictor is fitted on them.
    `latency_ms` is the median over all runs and places of the operator, its interval from the 5th to the 95th percentile; the first run is
    left out when there are three or more. Each line also has `in_context: true` and `count`, the places of the operator in the network.
    Raises InputError, in one line, for another layout.
    """
    try:
        events = json.loads(read_bytes(path))
        kernels = _kernels(events)
        runs = max(len(times) for _, times in kernels.values())
        header = {
            "type": "header", "schema": SCHEMA, "origin": "published", "source": Path(path).name, "runs": runs, "device": {"cpu": device},
            "runtime": {"name": "onnxruntime", "version": None, "threads": threads, "provider": _provider(events)}, "protocol": {},
        }  # fmt: skip
        return DeviceProfile(header, _lines(kernels))
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError, OverflowError) as error:
        text = " ".join(str(error).split())[:200]
        known = isinstance(error, InputError)
        raise InputError(text if known and text.startswith(str(path)) else f"{path}: not a profile of onnxruntime: {text}") from error


def _kernels(events: Any) -> dict[str, tuple[Operator, list[float]]]:
    """Every node with its operator and its milliseconds, run after run."""
    if not isinstance(events, list):
        raise InputError("a list of events is wanted")
    kernels: dict[str, tuple[Operator, list[float]]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            duration = event["dur"]
            if type(duration) is not int or not 0 <= duration < 1e12:
                raise InputError(f"{str(duration)[:40]} is no duration in whole microseconds")
            # A node may run at several shapes, one after the other: those are different operators.
            operator = _operator(event["args"])
            kernels.setdefault(f"{event['name']} {operator.key}", (operator, []))[1].append(duration / 1e3)
    if not kernels:
        raise InputError("it holds no kernel times; make it with SessionOptions.enable_profiling and at least one run")
    return kernels


def _operator(args: Mapping[str, Any]) -> Operator:
    """The operator of an event; inputs after the first are weights when their bytes are those of the node's parameters."""
    inputs = [_tensor(entry) for entry in args["input_type_shape"]]
    if inputs and int(args.get("parameter_size", 0)) == sum(t.bytes for t in inputs[1:]) > 0:
        inputs[1:] = [Tensor(t.shape, t.dtype, constant=True) for t in inputs[1:]]
    return Operator(str(args["op_name"]), tuple(inputs), tuple(_tensor(entry) for entry in args["output_type_shape"]))


def _tensor(entry: Mapping[str, Any]) -> Tensor:
    ((dtype, shape),) = entry.items()
    return Tensor.from_json({"shape": shape, "dtype": _DTYPES.get(dtype, dtype)})


def _provider(events: Sequence[Mapping[str, Any]]) -> str:
    names = sorted(
        {str(e["args"].get("provider", "")) for e in events if e.get("cat") == "Node" and str(e["name"]).endswith("_kernel_time")}
    )
    return ",".join(filter(None, names))


def _lines(kernels: Mapping[str, tuple[Operator, list[float]]]) -> list[dict[str, Any]]:
    places: dict[str, list[tuple[Operator, list[float]]]] = {}
    for operator, times in kernels.values():
        places.setdefault(operator.key, []).append((operator, times))
    return [_line(key, found[0][0], [times for _, times in found]) for key, found in places.items()]


def _line(key: str, operator: Operator, places: list[list[float]]) -> dict[str, Any]:
    warm = np.array([ms for times in places for ms in (times[1:] if len(times) > 2 else times)])
    times = np.maximum(warm, _RESOLUTION_MS)
    low, value, p95 = (float(v) for v in np.percentile(times, (5, 50, 95)))
    return {
        "type": "operator", "key": f"in-context/{key}", "status": "ok", "operator": operator.to_json(), "in_context": True,
        "count": len(places), "latency_ms": Quantity(value, low, p95, "published").to_json(), "median_ms": value, "p95_ms": p95,
        "samples_ms": [[ms] * 3 for ms in times.tolist()], "warnings": [_NOTE],
    }  # fmt: skip
