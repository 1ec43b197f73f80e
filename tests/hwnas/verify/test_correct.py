"""Corrected predictions: honest ones, by predictors that did not see what they are judged by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import predictors
from device_profiles.errors import InputError
from device_profiles.profile import DeviceProfile
from hwnas.verify.correct import Correction, profile_of


def halves(profile: DeviceProfile, factor: float) -> DeviceProfile:
    """Every other network of a profile as measured later, by a factor slower."""
    lines = [line for line in profile.lines if line["type"] == "network" and line["status"] == "ok"][::2]
    slower = []
    for line in lines:
        latency = {name: line["latency_ms"][name] * factor for name in ("value", "low", "high")}
        slower.append({**line, "latency_ms": {**latency, "origin": "measured"}})
    return DeviceProfile(profile.header, slower, "cd" * 32)


@pytest.mark.parametrize("with_profile", [True, False])
def test_what_is_left_out_does_not_count_at_all(walk: Any, with_profile: bool) -> None:
    device, profile = predictors.load(walk.device), DeviceProfile.read(walk.profile)
    correction = Correction(device, profile if with_profile else None)
    measured = halves(profile, 1.2)
    names = [net.name for net in measured.networks()]
    executed = _executed(device, walk, names)
    out = frozenset(names[:2])
    absurd = [{**line, "latency_ms": {**line["latency_ms"], "value": 9.0, "low": 8.0, "high": 10.0}} for line in measured.lines[:2]]
    other = replace(measured, lines=[*absurd, *measured.lines[2:]])
    first, second = (correction.fit(profile, executed, out).predict(executed[names[0]]).latency_ms for profile in (measured, other))
    assert first == second
    assert correction.fit(other, executed).predict(executed[names[0]]).latency_ms != first


def test_every_network_is_predicted_without_itself(walk: Any) -> None:
    device, profile = predictors.load(walk.device), DeviceProfile.read(walk.profile)
    correction, measured = Correction(device, profile), halves(profile, 1.2)
    names = [net.name for net in measured.networks()]
    executed = _executed(device, walk, names)
    honest = correction.left_out(measured, executed)
    assert set(honest) == set(names)
    for i, name in enumerate(names):
        lines = [*measured.lines]
        lines[i] = {**lines[i], "latency_ms": {**lines[i]["latency_ms"], "value": 9.0, "low": 8.0, "high": 10.0}}
        assert correction.left_out(replace(measured, lines=lines), executed)[name] == honest[name]


def test_a_device_that_is_not_what_it_was_is_learned_from_the_later_networks_alone(walk: Any) -> None:
    device, profile = predictors.load(walk.device), DeviceProfile.read(walk.profile)
    measured = halves(profile, 2.0)
    executed = _executed(device, walk, [net.name for net in measured.networks()])
    corrected = Correction(device, profile).fit(measured, executed)
    assert corrected.origin_["profile"]["networks"] == len(measured.networks()) < len(profile.networks())


def _executed(device: Any, walk: Any, names: list[str]) -> dict[str, Any]:
    from hwnas.run import Run
    from hwnas.spaces import from_spec

    space = from_spec(Run.open(walk.run).spec["space"])
    archs = {name: [int(index) for index in name.split("/")[1].split(".")] for name in names}
    with device.lowering() as ask:
        return {name: ask(space.network(arch)) for name, arch in archs.items()}


def test_a_later_measurement_takes_the_place_of_the_profiles_own(walk: Any) -> None:
    profile = DeviceProfile.read(walk.profile)
    device = predictors.load(walk.device)
    measured = halves(profile, 1.5)
    some = replace(measured, lines=measured.lines[:2])  # too few to count alone
    corrected = Correction(device, profile).fit(some, _executed(device, walk, [net.name for net in some.networks()]))
    assert corrected.origin_["profile"]["networks"] == len(profile.networks())
    assert corrected.doubt_.network > device.doubt_.network


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
