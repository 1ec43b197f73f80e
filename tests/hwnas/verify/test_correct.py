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
def test_the_prediction_of_a_network_does_not_depend_on_its_measurement(walk: Any, with_profile: bool) -> None:
    device = predictors.load(walk.device)
    profile = DeviceProfile.read(walk.profile)
    correction = Correction(device, profile if with_profile else None)
    measured = halves(profile, 1.2)
    names = [net.name for net in measured.networks()]
    executed = _executed(device, walk, names)
    honest = correction.left_out(measured, executed)
    assert set(honest) == set(names)
    absurd = [{**line, "latency_ms": {**line["latency_ms"], "value": 9.0, "low": 8.0, "high": 10.0}} for line in measured.lines[:1]]
    other = correction.left_out(replace(measured, lines=[*absurd, *measured.lines[1:]]), executed)
    assert other[names[0]] == honest[names[0]]


def _executed(device: Any, walk: Any, names: list[str]) -> dict[str, Any]:
    from hwnas.run import Run
    from hwnas.spaces import from_spec

    space = from_spec(Run.open(walk.run).spec["space"])
    archs = {name: [int(index) for index in name.split("/")[1].split(".")] for name in names}
    with device.lowering() as ask:
        return {name: ask(space.network(arch)) for name, arch in archs.items()}


def test_a_later_measurement_takes_the_place_of_the_profiles_own(walk: Any) -> None:
    profile = DeviceProfile.read(walk.profile)
    correction = Correction(predictors.load(walk.device), profile)
    corrected = correction.fit(halves(profile, 1.5))
    assert corrected.origin_["profile"]["networks"] == len(profile.networks())
    assert corrected.doubt_.network > correction.device.doubt_.network  # half of the networks contradict the other half


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
