"""Once-for-All's MobileNetV3 space, and the published dictionaries of its architectures (Cai et al., ICLR 2020, section 4.1).

Five units of two to four blocks with kernels of 3, 5 or 7 and expansions of 3, 4 or 6; everything else is fixed, width multiplier 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from device_profiles.errors import InputError
from hwnas.spaces.base import Archs, Value
from hwnas.spaces.mobilenet import MobileNetSpace
from hwnas.spaces.mobilenet_blocks import Stage

NAME, UNITS, DEPTH = "ofa-mobilenetv3", 5, 4
_DEPTHS, _KERNELS, _EXPANSIONS = (2, 3, 4), (3, 5, 7), (3, 4, 6)


def ofa_mobilenetv3(
    classes: int, channels: int, resolution: int, resolutions: Sequence[int] = (), *, kernel_transforms: bool = False
) -> MobileNetSpace:
    """The space: about 2.18e19 architectures for every resolution; with none given there is only that of the images.

    The published super-network has `kernel_transforms`.
    """
    units = ((24, 2, False, "Relu"), (40, 2, True, "Relu"), (80, 2, False, "HardSwish"), (112, 1, True, "HardSwish"))
    stages = [Stage((16,), (1,), (3,), (1,), 1)]
    for width, stride, squeeze, activation in (*units, (160, 2, True, "HardSwish")):
        stages.append(Stage((width,), _DEPTHS, _KERNELS, _EXPANSIONS, stride, squeeze, activation))
    sizes = {"stem": 16, "head": 960, "mix": 1280}
    return MobileNetSpace(
        stages,
        classes,
        channels,
        resolution,
        **sizes,
        activation="HardSwish",
        resolutions=resolutions,
        name=NAME,
        kernel_transforms=kernel_transforms,
    )


def from_published(space: MobileNetSpace, published: Mapping[str, Any]) -> Archs:
    """One canonical architecture, shape `(1, n_choices)`, from `{"ks": 20 kernels, "e": 20 expansions, "d": 5 depths}`.

    Entries of blocks beyond the depth do nothing. `r`, a number or a list of one, is the resolution; without it, that of the images.
    Raises InputError that says what is missing or which value is illegal.
    """
    rows = {name: _numbers(published, name, number) for name, number in (("ks", UNITS * DEPTH), ("e", UNITS * DEPTH), ("d", UNITS))}
    values: dict[str, Value] = {}
    for unit in range(UNITS):
        values[f"stage{unit + 2}.depth"] = rows["d"][unit]
        for block in range(min(rows["d"][unit], DEPTH)):
            name, index = f"stage{unit + 2}.block{block + 1}", unit * DEPTH + block
            values |= {f"{name}.kernel": rows["ks"][index], f"{name}.expansion": rows["e"][index]}
    side = int(np.ravel(published.get("r", space.input_shape[1]))[0])
    if len(space.resolutions) > 1:
        values["resolution"] = side
    elif side != space.input_shape[1]:
        raise InputError(f"this space has networks for {space.input_shape[1]} pixels only, not r = {side}")
    return space.encode(values)


def to_published(space: MobileNetSpace, arch: Sequence[int] | Archs) -> dict[str, list[int]]:
    """The published dictionary of one architecture; blocks beyond the depth get the first legal values."""
    values = space.values(arch)
    names = [f"stage{unit + 2}.block{block + 1}" for unit in range(UNITS) for block in range(DEPTH)]
    return {
        "ks": [values.get(f"{name}.kernel", _KERNELS[0]) for name in names],
        "e": [values.get(f"{name}.expansion", _EXPANSIONS[0]) for name in names],
        "d": [values[f"stage{unit + 2}.depth"] for unit in range(UNITS)],
        "r": [values["resolution"]],
    }


def _numbers(published: Mapping[str, Any], name: str, number: int) -> list[int]:
    found = np.ravel(published.get(name, []))
    if found.shape != (number,) or found.dtype.kind not in "iu":
        raise InputError(f"a Once-for-All architecture has {number} whole numbers in {name!r}, got {str(published.get(name))[:80]}")
    return [int(value) for value in found]
