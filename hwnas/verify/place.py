"""Where the networks are measured again: on this machine, or on a board over ssh."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from typing import Protocol as Interface

from device_profiles.campaign import Campaign, Progress
from device_profiles.drift import Drift, compare
from device_profiles.errors import InputError
from device_profiles.fingerprint import device_fingerprint, differences
from device_profiles.plan import Plan
from device_profiles.profile import DeviceProfile
from device_profiles.protocol import Protocol
from device_profiles.quantity import Quantity
from device_profiles.runtimes.process import RuntimeProcess
from hwnas.profiling import arch_name, whole_network
from hwnas.shipping import arch_models
from hwnas.spaces.base import SearchSpace
from hwnas.verify.files import FILE, further, set_aside
from hwnas.verify.points import Architecture

if TYPE_CHECKING:
    from predictors import NetworkPredictor

#: Settings for verification: few items, so more rounds each than when an operator library is measured.
SETTINGS = Protocol(min_rounds=48, max_rounds=400)


class Place(Interface):
    """Measures architectures whole on the device of a predictor, into the run folder."""

    def measure(self, space: SearchSpace, archs: Sequence[Architecture], budget_s: float | None) -> None:
        """Measures what is missing of the architectures; what a killed measurement left is taken up.

        Raises InputError when the machine is not the device of the predictor, DeviceError when it fails.
        """

    def profile(self) -> DeviceProfile:
        """All that was measured so far, latencies corrected for drift against the profile of the device."""


@dataclass(frozen=True)
class Here:
    """This machine."""

    folder: Path
    device: NetworkPredictor
    settings: Protocol = SETTINGS
    progress: Progress | None = None

    def measure(self, space: SearchSpace, archs: Sequence[Architecture], budget_s: float | None) -> None:
        """See `Place.measure`."""
        here, path = self.device.origin_["runtime"], self.folder / FILE
        # A campaign that finds nothing to do would end, and with it what is left of an interrupted one.
        done = {line["key"] for line in self.profile().lines} if path.exists() and path.stat().st_size else set()
        if all(f"network/{arch_name(space, arch)}" in done for arch in archs):
            return
        with RuntimeProcess(here["name"], here["threads"]) as runtime:
            _check_same(self.device, device_fingerprint(), runtime.fingerprint())
            plan = Plan((), tuple(whole_network(space, arch, runtime) for arch in archs))
            known = {key: quantity.value for key, quantity in canaries(self.device).items()}
            Campaign(plan, path, runtime, settings=self.settings, budget_s=budget_s, progress=self.progress, known=known).run()

    def profile(self) -> DeviceProfile:
        """See `Place.profile`."""
        return DeviceProfile.read(self.folder / FILE)


@dataclass
class There:
    """A board over ssh. What it is sent at once is a campaign of its own there, and a file of its own here.

    `number` tells the verifications of a run apart: a board that has measured the same networks for an earlier one measures them again.
    """

    folder: Path
    device: NetworkPredictor
    host: str
    number: int = 0
    config: Path | None = None
    progress: Progress | None = None
    _parts: list[DeviceProfile] = field(default_factory=list)

    def measure(self, space: SearchSpace, archs: Sequence[Architecture], budget_s: float | None) -> None:
        """See `Place.measure`."""
        from device_profiles import remote

        models, runtime = arch_models(space, archs), self.device.origin_["runtime"]
        budget = None if budget_s is None else f"{max(1, round(budget_s))}s"
        # All of them whole: a number beyond theirs says the same, and makes another campaign of it.
        whole = len(models) + self.number
        job = remote.Job(models, whole, runtime["threads"], budget, self.config, runtime=runtime["name"], energy="none")
        path = self.folder / further(len(self._parts))
        (result,) = remote.profile_hosts([self.host], path, job, self._show)
        if result.error is not None:
            raise result.error
        part = DeviceProfile.read(path)
        try:
            _check_same(self.device, part.header["device"], part.header["runtime"])
        except InputError:
            set_aside(self.folder)  # or the next verification would go on with another device's measurements
            raise
        self._parts.append(part)

    def profile(self) -> DeviceProfile:
        """See `Place.profile`. The board does not know what the canaries took when it was profiled."""
        canary = [{**line, "key": f"{line['key']}.{i}"} for i, p in enumerate(self._parts) for line in p.lines if line["type"] == "canary"]
        lines = {line["key"]: line for part in self._parts for line in part.lines if line["type"] in ("network", "operator")}
        found = DeviceProfile(self._parts[0].header, [*lines.values(), *canary], self._parts[0].sha256)
        ratio = compare(found.canaries(), canaries(self.device))
        if ratio is None:
            return found
        drift = Drift(ratio.value, math.log(ratio.high / ratio.value))
        return replace(found, lines=[_corrected(line, drift) for line in found.lines])

    def _show(self, host: str, share: float, message: str) -> None:
        if self.progress is not None:
            self.progress(share, f"{host}: {message}")


def canaries(device: NetworkPredictor) -> dict[str, Quantity]:
    """What the canaries took when the device was profiled, in ms."""
    known = device.origin_.get("profile", {}).get("canaries", {})
    return {key: Quantity.from_json(value) for key, value in known.items()}


def _corrected(line: dict[str, Any], drift: Drift) -> dict[str, Any]:
    """A line of a network with the latency that the device at its best would have given."""
    if line["type"] != "network" or line.get("status") != "ok":
        return line
    return {**line, "latency_ms": drift.corrected(Quantity.from_json(line["latency_ms"])).to_json()}


def _check_same(device: NetworkPredictor, found: Mapping[str, Any], runtime: Mapping[str, Any]) -> None:
    differing = differences(dict(found), dict(runtime), device.origin_["device"], device.origin_["runtime"])
    if differing:
        raise InputError(f"this is not the device that was searched for ({'; '.join(differing)}); verify on that device")
