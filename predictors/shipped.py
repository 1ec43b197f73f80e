"""Predictors of the devices whose profiles came with hwnas: fitted on first use, and kept in the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

from device_profiles.errors import InputError
from device_profiles.library import library_profiles
from device_profiles.profile import DeviceProfile
from predictors.network import NetworkPredictor
from predictors.store import load


def load_shipped(name: str) -> NetworkPredictor:
    """The predictor of a device of the library, by its name, such as `xeon-2.80ghz/onnxruntime/1t`.

    Fitting takes some seconds, so the result is kept (`$XDG_CACHE_HOME/hwnas`, else `~/.cache/hwnas`) until the profile or the way
    operators are described changes; where the cache cannot be written it is fitted again each time.
    """
    profile = DeviceProfile.read(library_profiles()[name])
    kept = _cache_folder() / f"{name.replace('/', '--')}-{profile.sha256[:16]}.json"
    if kept.is_file():
        try:
            predictor = load(kept)
        except InputError:
            predictor = None  # made by another version, or damaged: what it was made from is at hand
        if predictor is not None and predictor.origin_["profile"].get("sha256") == profile.sha256:
            return predictor
    predictor = NetworkPredictor().fit(profile)
    try:
        predictor.save(kept)
    except InputError:
        predictor.path_ = None  # a cache that cannot be written costs time, nothing else
    return predictor


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path(os.path.expanduser("~")) / ".cache") / "hwnas"
