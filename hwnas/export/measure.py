"""Exported files measured on the device by the protocol of `hwnas profile`, in the same rounds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device_profiles.campaign import Progress
from device_profiles.errors import RuntimeFailure
from device_profiles.fingerprint import device_fingerprint, differences
from device_profiles.graphs.graph import name_nodes
from device_profiles.plan import Plan, WholeNetwork
from device_profiles.profile import DeviceProfile
from device_profiles.protocol import Protocol
from device_profiles.quantity import Quantity
from device_profiles.runtimes.process import RuntimeCrash, RuntimeProcess
from hwnas import profiling

#: Few items, so more rounds each than when a library of operators is measured.
SETTINGS = Protocol(min_rounds=48, max_rounds=400)


@dataclass(frozen=True, slots=True)
class Costs:
    """What a file costs on the device; None what could not be measured, and why in `problem`."""

    latency_ms: Quantity | None = None
    memory_mb: Quantity | None = None
    energy_mj: Quantity | None = None
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """The costs that are known, as JSON."""
        known = {"latency_ms": self.latency_ms, "memory_mb": self.memory_mb, "energy_mj": self.energy_mj}
        found: dict[str, Any] = {name: quantity.to_json() for name, quantity in known.items() if quantity is not None}
        return {**found, "problem": self.problem} if self.problem else found


def elsewhere(device: Mapping[str, Any], runtime: RuntimeProcess) -> list[str]:
    """What makes this machine another device than the one of a run (its record in the spec); empty when nothing does, or none is known."""
    if not isinstance(device.get("device"), dict) or not isinstance(device.get("runtime"), dict):
        return []
    return differences(device_fingerprint(), runtime.fingerprint(), device["device"], device["runtime"])


def measure(
    models: Mapping[str, bytes],
    profile: Path,
    runtime: RuntimeProcess,
    *,
    budget_s: float | None = None,
    progress: Progress | None = None,
    notice: Callable[[str], object] | None = None,
    settings: Protocol = SETTINGS,
) -> dict[str, Costs]:
    """Latency, peak memory and, with a meter, energy of models by name, measured into `profile`, or read there if they are in it.

    Measurements belong to the content of a model: another model of the same name is measured again. Raises InputError when the profile
    was made on another device.
    """
    found: dict[str, Costs] = {}
    networks: dict[str, WholeNetwork] = {}
    for name, content in models.items():
        named, key = name_nodes(content), f"{name}/{hashlib.sha256(content).hexdigest()[:12]}"
        try:
            networks[name] = WholeNetwork(key, named, runtime.executed_graph(named, key))
        except (RuntimeFailure, RuntimeCrash) as error:
            found[name] = Costs(problem=f"{runtime.runtime} does not run it: {error}")
    if networks:
        plan = Plan((), tuple(networks.values()))
        profiling.profile(plan, profile, runtime, budget_s=budget_s, settings=settings, progress=progress, notice=notice)
        known = DeviceProfile.read(profile)
        found |= {name: _costs(network, known) for name, network in networks.items()}
    return found


def _costs(network: WholeNetwork, profile: DeviceProfile) -> Costs:
    measured = next((m for m in profile.networks() if m.name == network.name), None)
    if measured is not None:
        return Costs(measured.latency_ms, measured.memory_mb, measured.energy_mj)
    failed = next((line["error"] for line in profile.failures() if line["key"] == f"network/{network.name}"), None)
    return Costs(problem=failed or "not measured: the budget was too short")
