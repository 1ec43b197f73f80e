"""Few architectures that together show every configuration of every part of a space."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError

Archs = npt.NDArray[np.int64]

#: More joint values of the choices of one part than this cannot be shown one by one.
MAX_CONFIGURATIONS = 200_000

#: Random attempts per architecture, of which the one that shows most is kept; and how many times in a row they may show nothing new.
_ATTEMPTS, _PATIENCE = 4, 100


def configurations(space: Any, part: Any) -> Archs:
    """All joint values of a part's choices, in the order of a `CostTable`: the last choice changes fastest; shape `(n, len(part.choices))`.

    Raises InputError when there are more than `MAX_CONFIGURATIONS`.
    """
    sizes = [int(space.cardinalities[c]) for c in part.choices]
    if math.prod(sizes) > MAX_CONFIGURATIONS:
        raise InputError(
            f"part {part.name!r} depends on {len(sizes)} choices with {math.prod(sizes)} joint values, more than the {MAX_CONFIGURATIONS} "
            "that a table can hold: divide it into parts that depend on fewer choices"
        )
    if not sizes:
        return np.zeros((1, 0), dtype=np.int64)
    return np.stack([grid.ravel() for grid in np.meshgrid(*map(np.arange, sizes), indexing="ij")], axis=1)


def canonical_configurations(space: Any, part: Any) -> Archs:
    """Row by row what `configurations` become in a canonical architecture: choices that do nothing are 0."""
    rows = configurations(space, part)
    archs = np.tile(np.asarray(space.cardinalities, dtype=np.int64) - 1, (len(rows), 1))
    archs[:, part.choices] = rows
    return np.asarray(space.canonical(archs)[:, part.choices])


def covering(space: Any, rng: np.random.Generator) -> Archs:
    """Canonical architectures `(n, n_choices)` in which every configuration of every part occurs that can occur at all.

    Greedy: every architecture shows configurations that none before it has shown, as many at once as fit together. For the same
    generator state the answer is the same. Raises InputError when a part has too many configurations.
    """
    parts = [part for part in space.parts if part.choices]
    todo = [np.unique(canonical_configurations(space, part), axis=0) for part in parts]
    rows: list[Archs] = []
    fruitless = 0
    while any(len(left) for left in todo):
        attempts = [space.canonical(_attempt(space, parts, todo, rng)[None])[0] for _ in range(_ATTEMPTS)]
        best = max(attempts, key=lambda row: _news(parts, todo, row))
        if not _news(parts, todo, best):
            fruitless += 1
            if fruitless > _PATIENCE:
                part = next(p for p, left in zip(parts, todo, strict=True) if len(left))
                raise InputError(
                    f"part {part.name!r} has values that no architecture shows: it must name every choice that can switch it off"
                )
            continue
        fruitless = 0
        todo = [left[~_shown(left, best[list(part.choices)])] for part, left in zip(parts, todo, strict=True)]
        rows.append(best)
    if not rows:
        return np.asarray(space.canonical(np.zeros((1, len(space.choices)), dtype=np.int64)))
    return np.array(rows, dtype=np.int64)


def _news(parts: list[Any], todo: list[Archs], row: Archs) -> int:
    """How many parts an architecture shows in a configuration that none has shown."""
    return sum(bool(_shown(left, row[list(part.choices)]).any()) for part, left in zip(parts, todo, strict=True))


def _shown(left: Archs, configuration: Archs) -> npt.NDArray[np.bool_]:
    return np.asarray((left == configuration).all(axis=1))


def _attempt(space: Any, parts: list[Any], todo: list[Archs], rng: np.random.Generator) -> Archs:
    """One architecture: the part with most left to show speaks first, then each in turn takes what fits to what was said."""
    arch = np.full(len(space.choices), -1, dtype=np.int64)
    order = sorted(range(len(parts)), key=lambda i: (-len(todo[i]), rng.random()))
    for index in order:
        columns, left = list(parts[index].choices), todo[index]
        said = arch[columns]
        fitting = left[((left == said) | (said < 0)).all(axis=1)]
        if len(fitting):
            arch[columns] = fitting[rng.integers(len(fitting))]
    return np.where(arch < 0, rng.integers(0, space.cardinalities), arch)
