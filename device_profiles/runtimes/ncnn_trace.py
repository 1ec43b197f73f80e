"""Which nodes of a model each layer of ncnn runs, found by comparing what they compute.

pnnx rewrites a graph and keeps no names. But what a layer makes is still a value of the source: the value that has the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from device_profiles.runtimes.base import Array
from device_profiles.runtimes.gate import DEFAULT_TOLERANCE
from device_profiles.runtimes.ncnn_param import Layer

#: Layers that compute nothing: they name a value again.
_NAMING = frozenset({"Input", "Split"})

#: Elements that are compared before all of them are.
_GLANCE = 64


def kernels(layers: Sequence[Layer], made: Mapping[str, Array], source: Mapping[str, Array]) -> list[dict[str, Any]]:
    """The layers that compute, as kernels with the values of the source that they make (see `fused.Kernel`).

    `made`: what is in every blob; `source`: the values of the source by name, in the order in which they are computed. Of values with
    equal numbers the first is made by the first layer and so on, and those left over, such as after an activation that changed nothing,
    by the last; layers beyond them belong to the last. A change of shape that has no layer of its own is left to what reads it.
    """
    index = _Index(source)
    running = [layer for layer in layers if layer.type not in _NAMING]
    names: list[list[str]] = [[] for _ in running]
    maker: dict[str, int] = {}
    alike: list[list[str]] = []
    for number, layer in enumerate(running):
        for blob in layer.tops:
            found = index.equal(made[blob])
            free = [value for value in found if value not in maker]
            alike.append(found)
            if found:
                value = free[0] if free else found[-1]
                maker.setdefault(value, number)
                names[number].append(value)
    order = {value: position for position, value in enumerate(source)}
    for value in dict.fromkeys(value for found in alike for value in found):
        if value not in maker:
            same = [other for found in alike if value in found for other in found if source[other].shape == source[value].shape]
            before = [other for other in same if other in maker and order[other] < order[value]]
            if before:
                names[maker[max(before, key=lambda other: order[other])]].append(value)
    return [{"type": layer.type, "layers": values, "sources": [], "layouts": []} for layer, values in zip(running, names, strict=True)]


class _Index:
    """Values of the source by their number of elements."""

    def __init__(self, source: Mapping[str, Array]) -> None:
        self.by_size: dict[int, list[tuple[str, Array]]] = {}
        for name, array in source.items():
            self.by_size.setdefault(array.size, []).append((name, array.ravel()))

    def equal(self, array: Array) -> list[str]:
        """The names of the values with the same numbers in the same order, whatever their shape."""
        flat = array.ravel()
        glance = np.unique(np.linspace(0, flat.size - 1, _GLANCE).astype(int)) if flat.size else np.zeros(0, int)
        return [name for name, right in self.by_size.get(flat.size, ()) if _alike(flat, right, (glance, slice(None)))]


def _alike(mine: Array, right: Array, parts: Iterable[Any]) -> bool:
    if not mine.size:
        return True
    accepted = DEFAULT_TOLERANCE * max(float(np.abs(right).max()), 1e-30)
    return all(bool(np.abs(mine[part] - right[part]).max() <= accepted) for part in parts)
