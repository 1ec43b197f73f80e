"""Corrected predictions: honest ones, by predictors that did not see what they are judged by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import predictors
from device_profiles.drift import Drift
from device_profiles.errors import InputError
from device_profiles.lines import network_line
from device_profiles.plan import WholeNetwork
from device_profiles.profile import DeviceProfile
from hwnas.profiling import arch_name
from hwnas.run import Run
from hwnas.spaces import from_spec
from hwnas.verify.correct import Correction, profile_of


def later(device: Any, walk: Any, factor: float) -> tuple[DeviceProfile, dict[str, Any]]:
    """The architectures of the walk's run as measured later, at the predicted times a factor; and what the runtime executes for them."""
    run = Run.open(walk.run)
    space, lines, executed = from_spec(run.spec["space"]), [], {}
    with device.lowering() as ask:
        for row in run.rows():
            name = arch_name(space, row.architecture)
            executed[name] = ask(space.network(space.canonical(row.architecture)[0]))
            raw = np.full((12, 3), factor * device.predict(executed[name]).latency_ms.value)
            lines.append(network_line(f"network/{name}", WholeNetwork(name, b"", executed[name]), raw, Drift(1.0, 0.0), 12))
    header = {"type": "header", "schema": 1, **{name: device.origin_[name] for name in ("device", "runtime", "protocol")}}
    return DeviceProfile(header, lines, "cd" * 32), executed


@pytest.mark.parametrize("with_profile", [True, False])
def test_what_is_left_out_does_not_count_at_all(walk: Any, with_profile: bool) -> None:
    device, profile = predictors.load(walk.device), DeviceProfile.read(walk.profile)
    correction = Correction(device, profile if with_profile else None)
    measured, executed = later(device, walk, 1.2)
    names = [net.name for net in measured.networks()]
    out = frozenset(names[:2])
    absurd = [{**line, "latency_ms": {**line["latency_ms"], "value": 9.0, "low": 8.0, "high": 10.0}} for line in measured.lines[:2]]
    other = replace(measured, lines=[*absurd, *measured.lines[2:]])
    first, second = (correction.fit(profile, executed, out).predict(executed[names[0]]).latency_ms for profile in (measured, other))
    assert first == second
    assert correction.fit(other, executed).predict(executed[names[0]]).latency_ms != first


def test_every_network_is_predicted_without_itself(walk: Any) -> None:
    device, profile = predictors.load(walk.device), DeviceProfile.read(walk.profile)
    correction, (measured, executed) = Correction(device, profile), later(device, walk, 1.2)
    names = [net.name for net in measured.networks()]
    honest = correction.left_out(measured, executed)
    assert set(honest) == set(names)
    for i, name in list(enumerate(names))[:4]:
        lines = [*measured.lines]
        lines[i] = {**lines[i], "latency_ms": {**lines[i]["latency_ms"], "value": 9.0, "low": 8.0, "high": 10.0}}
        assert correction.left_out(replace(measured, lines=lines), executed)[name] == honest[name]


def test_networks_of_the_profile_that_contradict_the_later_ones_are_left_out(walk: Any) -> None:
    device, profile = predictors.load(walk.device), DeviceProfile.read(walk.profile)
    measured, executed = later(device, walk, 2.0)
    upset = [_upset(line, (0.3, 1.0, 3.0)[index % 3]) for index, line in enumerate(profile.lines)]
    corrected = Correction(device, replace(profile, lines=upset)).fit(measured, executed)
    assert corrected.origin_["profile"]["networks"] == len(measured.networks())


def _upset(line: dict[str, Any], factor: float) -> dict[str, Any]:
    """A network that took `factor` times as long when it was measured; anything else as it is."""
    if line["type"] != "network" or line["status"] != "ok":
        return line
    numbers = {name: line["latency_ms"][name] * factor for name in ("value", "low", "high")}
    return {**line, "latency_ms": {**line["latency_ms"], **numbers}}


@pytest.mark.parametrize(("factor", "count"), [(1.3, 2), (1.3, 4), (2.0, 12)])
def test_a_few_networks_that_are_all_slower_by_as_much_are_enough(walk: Any, factor: float, count: int) -> None:
    device, profile = predictors.load(walk.device), DeviceProfile.read(walk.profile)
    measured, executed = later(device, walk, factor)
    few = replace(measured, lines=measured.lines[:count])
    corrected = Correction(device, profile).fit(few, executed)
    ratios = [corrected.predict(net).latency_ms.value / device.predict(net).latency_ms.value for net in executed.values()]
    assert 0.92 * factor < min(ratios) <= max(ratios) < 1.08 * factor


def test_a_later_measurement_takes_the_place_of_the_profiles_own(walk: Any) -> None:
    device, profile = predictors.load(walk.device), DeviceProfile.read(walk.profile)
    measured, executed = later(device, walk, 1.5)
    line = next(line for line in profile.lines if line["type"] == "network" and line["status"] == "ok")
    once = replace(measured, lines=[{**measured.lines[0], "name": line["name"]}])
    corrected = Correction(device, profile).fit(once, executed)
    assert corrected.origin_["profile"]["networks"] == len(profile.networks())


def test_the_profile_is_found_by_its_hash_or_refused(walk: Any, tmp_path: Path) -> None:
    device = predictors.load(walk.device)
    found = profile_of(device)
    assert found is not None
    assert found.sha256 == device.origin_["profile"]["sha256"]
    device.save(tmp_path / "device.json")
    assert profile_of(device) is None
    moved = tmp_path / "elsewhere.jsonl"
    moved.write_bytes(Path(walk.profile).read_bytes())
    assert profile_of(device) is not None
    moved.write_bytes(b"\n".join(moved.read_bytes().split(b"\n")[:5]) + b"\n")
    assert profile_of(device) is None
    with pytest.raises(InputError, match="is not the profile"):
        profile_of(device, moved)
