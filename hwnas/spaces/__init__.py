"""Search spaces by name. No torch is imported here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from device_profiles.errors import InputError, unknown
from hwnas.spaces.base import Choice, Part, SearchSpace
from hwnas.spaces.blueprint import Blueprint
from hwnas.spaces.bypass import STAGES, BypassSpace
from hwnas.spaces.drawn import DrawnSpace
from hwnas.spaces.flash import DENSE, RESIDUAL, FlashDenseSpace, FlashResidualSpace
from hwnas.spaces.mobilenet import ELASTIC, SMALL, MobileNetSpace
from hwnas.spaces.mobilenet_blocks import Stage
from hwnas.spaces.nasbench201 import NASBench201Space
from hwnas.spaces.ofa import ofa_mobilenetv3
from hwnas.spaces.own import is_own, load_own, recall
from hwnas.spaces.pnas import PNASSpace
from hwnas.spaces.sharing import SharingSpace

__all__ = [
    "SPACES", "Blueprint", "Choice", "DrawnSpace", "MobileNetSpace", "NASBench201Space", "PNASSpace", "Part", "SearchSpace", "Stage",
    "from_spec", "load",
]  # fmt: skip


class Named(NamedTuple):
    """What a named space is in one line, and how it is made for `(classes, channels, resolution)`."""

    about: str
    make: Callable[[int, int, int], SearchSpace]


#: Every named space.
SPACES: dict[str, Named] = {
    "mobilenet-small": Named(
        "3 stages of inverted bottlenecks with elastic kernel, expansion, depth and width, for small images",
        lambda classes, channels, side: MobileNetSpace(SMALL, classes, channels, side),
    ),
    "mobilenetv2-elastic": Named(
        "4 stages of inverted bottlenecks, half of them with squeeze-excite; the resolution of the images is a choice too",
        lambda classes, channels, side: MobileNetSpace(
            ELASTIC, classes, channels, side, 16, 256, resolutions=sorted({side // 2, side * 3 // 4, side}), name="mobilenetv2-elastic"
        ),
    ),
    "ofa-mobilenetv3": Named(
        "Once-for-All's MobileNetV3: 5 units of 2 to 4 blocks, kernels 3, 5, 7, expansions 3, 4, 6; knows the published encoding",
        ofa_mobilenetv3,
    ),
    "nasbench201": Named("NAS-Bench-201: one cell of 5 operators on 6 edges; reads and writes the published strings", NASBench201Space),
    "pnas-cell": Named("PNAS: one cell of 5 blocks that add two of 8 operators on two inputs; grows block by block", PNASSpace),
    "flash-dense": Named(
        "FLASH: 4 cells of densely skipping convolutions; widths, depths, numbers of skip channels",
        lambda classes, channels, side: FlashDenseSpace(DENSE, classes, channels, side),
    ),
    "flash-residual": Named(
        "FLASH: 4 cells of residual blocks; widths, depths, numbers of skip channels",
        lambda classes, channels, side: FlashResidualSpace(RESIDUAL, classes, channels, side),
    ),
    "bypass": Named(
        "NetAdaptV2: convolutions whose missing filters are bypassed, so that depth and width are one choice",
        lambda classes, channels, side: BypassSpace(STAGES, classes, channels, side),
    ),
    "sharing64": Named("the 64 children of the weight-sharing study: one cell of 4 operators on 3 edges", SharingSpace),
}

_KINDS: dict[str, Callable[[dict[str, Any]], SearchSpace]] = {
    MobileNetSpace.kind: MobileNetSpace.from_spec,
    **{kind.name: kind.from_spec for kind in (NASBench201Space, PNASSpace, FlashDenseSpace, FlashResidualSpace, BypassSpace, SharingSpace)},
}


def load(name: str, *, classes: int = 10, resolution: int = 32, channels: int = 3) -> SearchSpace:
    """A space by name, or of your own as `file.py:NAME` or `module:NAME`, for images of `channels` x `resolution` x `resolution`.

    NAME is a `SearchSpace`, or is called with `classes`, `resolution` and `channels` and returns one.
    Raises InputError for an unknown name (with the nearest known one) and for a resolution that the strides do not allow.
    """
    if is_own(name):
        return load_own(name, classes=classes, resolution=resolution, channels=channels)
    if name not in SPACES:
        raise unknown("space", name, SPACES)
    return SPACES[name].make(classes, channels, resolution)


def from_spec(spec: dict[str, Any]) -> SearchSpace:
    """The space that wrote `spec`. A space of the user's own must have been loaded in this process: a file never makes code run."""
    kind = spec.get("kind")
    if kind == "own":
        return recall(spec)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InputError(f"this space was made by code that is not here: {kind!r}; known: {', '.join(_KINDS)}")
    return _KINDS[kind](spec)
