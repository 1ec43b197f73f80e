"""Correcting a predictor by networks that were measured after it, and predictions that did not see what they are judged by."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from device_profiles.errors import InputError
from device_profiles.operators import Network
from device_profiles.profile import DeviceProfile
from device_profiles.quantity import Quantity
from device_profiles.seal import MAX_BYTES
from hwnas.objectives import Floats, as_objective
from hwnas.profiling import arch_name
from hwnas.spaces.base import SearchSpace
from hwnas.verify.points import Architecture

if TYPE_CHECKING:
    from device_profiles.profile import NetworkMeasurement
    from predictors import NetworkPredictor

#: What the runtime executes for networks, by name.
Executed = Mapping[str, Network]

#: Networks below which those measured later are never a fit of their own.
_ALONE = 5

#: As many later networks as make it as likely that the device has changed as that the predictor was wrong about just these: errors of
#: 5 % against changes of 10 %, squared.
_UNCHANGED = 0.25


class Correction:
    """Fits a predictor again together with networks that were measured later.

    With the `profile` that `device` was fitted on, its operators keep their prices, and the residual head and the widths are fitted again:
    on the networks of both, where those of the profile count times what the later ones cost more than predicted, or on the later ones
    alone where that predicts those better (a device that is not what it was when it was profiled). Without it the predictor is
    transferred, by the later networks, from the device as it was to the device as it is.
    """

    def __init__(self, device: NetworkPredictor, profile: DeviceProfile | None) -> None:
        self.device, self.profile = device, profile

    @property
    def how(self) -> str:
        """`head` or `transfer`."""
        return "transfer" if self.profile is None else "head"

    @cached_property
    def _fitted(self) -> NetworkPredictor:
        """The predictor with what a file of it does not hold."""
        from predictors import NetworkPredictor

        assert self.profile is not None
        return NetworkPredictor().fit(self.profile)

    def fit(self, measured: DeviceProfile, executed: Executed, without: frozenset[str] = frozenset()) -> NetworkPredictor:
        """The predictor corrected by the networks of `measured`, as if those named in `without` had never been measured anywhere.

        `executed` holds what the runtime executes for each of them.
        """
        if self.profile is None:
            return self._transferred(measured, without)
        networks = measured.networks()
        names, later = {net.name for net in networks}, [net for net in networks if net.name not in without]
        changed = self._changed(later, executed)
        before = [_times(net, changed) for net in self.profile.networks() if net.name not in names | without]
        if len(later) >= _ALONE and self._error([], later, executed) < self._error(before, later, executed):
            return self._refit(later)
        return self._refit([*before, *later])

    def _changed(self, later: Sequence[NetworkMeasurement], executed: Executed) -> float:
        """What the later networks cost more than they were predicted to: the median ratio, nearer to 1 the fewer there are."""
        logs = [math.log(net.latency_ms.value / self.device.predict(executed[net.name]).latency_ms.value) for net in later]
        return math.exp(float(np.median(logs)) * len(logs) / (len(logs) + _UNCHANGED)) if logs else 1.0

    def _error(self, before: Sequence[NetworkMeasurement], later: Sequence[NetworkMeasurement], executed: Executed) -> float:
        """The mean log error on the later networks, each of five parts predicted from the other four and those before."""
        from predictors.held_out import folds

        errors: list[float] = []
        for part in folds(len(later)):
            out = set(part.tolist())
            blind = self._refit([*before, *(net for index, net in enumerate(later) if index not in out)])
            errors += [abs(math.log(blind.predict(executed[later[i].name]).latency_ms.value / later[i].latency_ms.value)) for i in out]
        return sum(errors) / len(errors)

    def _refit(self, networks: Sequence[NetworkMeasurement]) -> NetworkPredictor:
        from predictors.network_fit import floor_ms
        from predictors.refit import refit

        assert self.profile is not None
        return refit(self._fitted, networks, floor_ms(self.profile))

    def _transferred(self, measured: DeviceProfile, without: frozenset[str]) -> NetworkPredictor:
        from predictors.device_transfer import transfer

        kept = [line for line in measured.lines if line["type"] != "network" or line.get("name") not in without]
        some = replace(measured, lines=kept)
        if not some.networks():
            return self.device
        new, old = transfer(self.device, some), self.device
        new.energy_ = None if old.energy_ is None else replace(old.energy_, head=new.head_)
        # Latencies are corrected for drift against the canaries of the profile, so they stay what later ones are compared with.
        new.origin_["profile"]["canaries"] = old.origin_.get("profile", {}).get("canaries", {})
        return new

    def left_out(self, measured: DeviceProfile, executed: Executed) -> dict[str, Quantity]:
        """The latency of every measured network by a predictor that never saw it: each of five parts by the other four."""
        from predictors.held_out import folds

        names, found = [net.name for net in measured.networks()], {}
        for part in folds(len(names)):
            out = [names[index] for index in part]
            blind = self.fit(measured, executed, frozenset(out))
            found.update({name: blind.predict(executed[name]).latency_ms for name in out})
        return found

    def reprice(self, space: SearchSpace, archs: Sequence[Architecture], measured: DeviceProfile) -> tuple[NetworkPredictor, Floats]:
        """The corrected predictor, and what it says about architectures: values with 90 % intervals, `(n, 3)`.

        What is among the networks of `measured` is predicted as in `left_out`.
        """
        names = [arch_name(space, arch) for arch in archs]
        known = {net.name for net in measured.networks()}
        with self.device.lowering() as ask:
            executed = {n: ask(space.network(space.canonical(a)[0])) for n, a in zip(names, archs, strict=True) if n in known}
        mine = replace(measured, lines=[line for line in measured.lines if line["type"] != "network" or line.get("name") in executed])
        device, blind = self.fit(mine, executed), self.left_out(mine, executed)
        found = as_objective(device.latency_ms, space).evaluate(np.array(archs, dtype=np.int64))
        values = np.stack([found.values, found.lows, found.highs], axis=1)
        for index, name in enumerate(names):
            if name in blind:
                values[index] = blind[name].value, blind[name].low, blind[name].high
        return device, values


def _times(net: NetworkMeasurement, factor: float) -> NetworkMeasurement:
    """A measurement as the device would make it now that everything takes `factor` as long."""
    return replace(net, latency_ms=net.latency_ms.scaled(factor))


def profile_of(device: NetworkPredictor, path: str | os.PathLike[str] | None = None) -> DeviceProfile | None:
    """The profile that a predictor was fitted on: the one at `path`, or one beside its `device.json` that has its hash.

    None when there is none, or the predictor was transferred from another device. Raises InputError when `path` is another profile.
    """
    record = device.origin_.get("profile", {})
    if path is not None:
        given = DeviceProfile.read(path)
        if given.sha256 != record.get("sha256"):
            raise InputError(f"{path} is not the profile that the predictor of {device.device_name_} was fitted on")
        return given
    if "transferred_from" in record or device.path_ is None:
        return None
    beside = sorted(device.path_.parent.glob("*.jsonl"))
    found = next((file for file in beside if _sha256(file) == record.get("sha256")), None)
    return None if found is None else DeviceProfile.read(found)


def _sha256(file: Path) -> str:
    """The hash of the complete lines of a file; that of nothing where it cannot be read."""
    data = b""
    with suppress(OSError):
        if file.is_file() and file.stat().st_size <= MAX_BYTES:
            data = file.read_bytes()
    return hashlib.sha256(data[: data.rfind(b"\n") + 1]).hexdigest()
