"""Operators timed inside the network that they belong to, by the runtime's own profiler, where it has one.

It tells where the time of one network goes. It is not what prices are made of: a profiler adds its own time to every node and counts whole
microseconds, and what it says holds for this network only. `benchmarks/in_context.py` compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device_profiles.errors import DeviceError
from device_profiles.operators import Node
from device_profiles.plan import WholeNetwork
from device_profiles.protocol import low_mean
from device_profiles.runtimes.process import RuntimeProcess


@dataclass(frozen=True)
class NodeTime:
    """One executed node of a network: its times in ms over the runs, `(runs,)`."""

    node: Node
    times_ms: npt.NDArray[np.float64]

    @property
    def latency_ms(self) -> float:
        """The mean of the fastest sixteenth of the runs, of three at least."""
        return float(low_mean(self.times_ms))


def in_context(runtime: RuntimeProcess, network: WholeNetwork, runs: int = 50) -> list[NodeTime]:
    """The executed nodes of a network in their order, each with its times inside it.

    Raises RuntimeFailure for a runtime that does not tell, DeviceError when it tells of other nodes than it said it executes.
    """
    executed, times = runtime.node_times(network.model, runs, network.name)
    for node in executed.nodes:
        if len(times.get(node.name, ())) != runs:
            raise DeviceError(f"{runtime.runtime} gives no time per run for node {node.name!r}, which it said it executes")
    return [NodeTime(node, times[node.name]) for node in executed.nodes]
