"""Search spaces by name. No torch is imported here."""

from __future__ import annotations

from typing import Any

from device_profiles.errors import InputError, unknown
from hwnas.spaces.base import Choice, Part, SearchSpace
from hwnas.spaces.mobilenet import SMALL, MobileNetSpace, Stage

__all__ = ["SPACES", "Choice", "MobileNetSpace", "Part", "SearchSpace", "Stage", "from_spec", "load"]

#: What each named space is, in one line.
SPACES = {"mobilenet-small": "3 stages of inverted bottlenecks with elastic kernel, expansion, depth and width, for small images"}


def load(name: str, *, classes: int = 10, resolution: int = 32, channels: int = 3) -> SearchSpace:
    """A space by name, for images of `channels` x `resolution` x `resolution`.

    Raises InputError for an unknown name (with the nearest known one) and for a resolution that the strides do not allow.
    """
    if name == "mobilenet-small":
        return MobileNetSpace(SMALL, classes, channels, resolution)
    raise unknown("space", name, SPACES)


def from_spec(spec: dict[str, Any]) -> SearchSpace:
    """The space that wrote `spec`."""
    if spec.get("kind") == MobileNetSpace.name:
        return MobileNetSpace.from_spec(spec)
    raise InputError(f"this space was made by code that is not here: {spec.get('kind')!r}; known: {MobileNetSpace.name}")
