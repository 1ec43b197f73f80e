"""NN-Degree: how densely the neurons of a network are linked. It rises with accuracy and needs no training.

Li, Mandal, Ogras and Marculescu, FLASH, ACM TECS 2021, section 3. A cell is a lattice, the links from layer to layer, and a random graph,
the links that skip layers. With width w_c, depth d_c and SC_c links that skip, the average degree of its nodes and that of the network are

    g_c = w_c + SC_c / (w_c d_c)          g = sum over cells of g_c

- dense cell: layer i >= 2 takes min(t_c, (i - 1) w_c) channels that skip, and each of them feeds all w_c channels of the layer.
- residual cell: each block adds t_c channels, and each of them feeds the w_c channels that come next; layers are the convolutions.
- mobile block: the paper gives no formula, so the definition is applied to the block: links over nodes, where the nodes are the channels of
  its convolutions, a depthwise one has a link per channel, and each channel that the residual adds feeds as many as the block expands to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from hwnas.spaces.base import Archs, Part, SearchSpace
from hwnas.spaces.flash import FlashDenseSpace, FlashResidualSpace, FlashSpace
from hwnas.spaces.mobilenet import MobileNetSpace
from predictors.covering import configurations

Floats = npt.NDArray[np.float64]


def dense_cell(width: npt.ArrayLike, depth: npt.ArrayLike, skip: npt.ArrayLike) -> Floats:
    """g_c of dense cells of `depth` layers of `width` channels to each of which at most `skip` channels skip; shapes broadcast."""
    w, d, t = (np.asarray(x, dtype=np.float64)[..., None] for x in (width, depth, skip))
    i = np.arange(2, max(int(d.max()), 2))
    links = np.where(i < d, np.minimum(t, (i - 1) * w), 0.0).sum(axis=-1)
    return np.asarray(w[..., 0] + links / d[..., 0])


def residual_cell(width: npt.ArrayLike, blocks: npt.ArrayLike, skip: npt.ArrayLike) -> Floats:
    """g_c of residual cells: an entry and `blocks` of two convolutions of `width` channels, `skip` of them added; shapes broadcast."""
    w, b, t = (np.asarray(x, dtype=np.float64) for x in (width, blocks, skip))
    return np.asarray(w + (b * t * w) / (w * (2 * b + 1)))


def mobile_block(c_in: npt.ArrayLike, hidden: npt.ArrayLike, c_out: npt.ArrayLike, residual: npt.ArrayLike) -> Floats:
    """The degree of inverted bottlenecks from `c_in` over `hidden` to `c_out` channels; without expansion one layer less."""
    i, h, o = (np.asarray(x, dtype=np.float64) for x in (c_in, hidden, c_out))
    expands = h > i
    links = np.where(expands, i * h, 0.0) + h + h * o + np.where(residual, i * h, 0.0)
    return np.asarray(links / (np.where(expands, h, 0.0) + h + o))


def has_degree(space: SearchSpace) -> bool:
    """Whether NN-Degree is defined for the networks of a space."""
    return isinstance(space, FlashDenseSpace | FlashResidualSpace | MobileNetSpace)


class NNDegree:
    """NN-Degree of the architectures of a space, as the training-free accuracy of a search: more is better, and it costs nothing.

    It is a sum over parts (`part_prices`), so that a search with additive costs can be exact. Raises InputError for a space whose networks
    are no cells of a width, a depth and skip connections.
    """

    name: ClassVar[str] = "nn_degree"
    unit: ClassVar[str] = ""
    direction: ClassVar[Literal["max"]] = "max"
    expensive: ClassVar[bool] = False
    origin: ClassVar[str] = "modelled"

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        tables = _tables(space)
        self._tables = {part.name: tables.get(part.name) for part in space.parts}
        carriers = [part for part in space.parts if part.name in tables]
        self._flat = np.concatenate([tables[part.name] for part in carriers])
        self._starts = np.cumsum([0, *(len(tables[part.name]) for part in carriers[:-1])])
        self._steps = np.zeros((len(space.choices), len(carriers)), dtype=np.int64)
        for column, part in enumerate(carriers):
            sizes = [int(space.cardinalities[c]) for c in part.choices]
            self._steps[list(part.choices), column] = [int(np.prod(sizes[k + 1 :], dtype=np.int64)) for k in range(len(sizes))]

    def __call__(self, archs: Archs) -> Floats:
        """g of architectures `(n, n_choices)`, shape `(n,)`."""
        found: Floats = self._flat.take(archs @ self._steps + self._starts).sum(axis=1)
        return found

    def part_prices(self, part: str) -> Floats:
        """What the configurations of a part add, the last of its choices changing fastest. Raises InputError for an unknown part."""
        if part not in self._tables:
            raise InputError(f"{self.space.name} has no part {part!r}")
        table = self._tables[part]
        if table is not None:
            return table
        choices = next(p.choices for p in self.space.parts if p.name == part)
        return np.zeros(int(np.prod(self.space.cardinalities[list(choices)], dtype=np.int64)))

    def record(self) -> dict[str, Any]:
        """What a run's spec says of it."""
        return {"kind": "nn-degree", "space": self.space.name}


def _tables(space: SearchSpace) -> dict[str, Floats]:
    """For every part that carries a cell or a block the degree of each of its configurations."""
    if isinstance(space, FlashSpace):
        return dict(_cell(space, c) for c in range(len(space.cells)))
    if isinstance(space, MobileNetSpace):
        return dict(_block(space, part) for part in space.parts if re.fullmatch(r"stage\d+\.block\d+", part.name))
    raise InputError(
        f"NN-Degree needs cells of a width, a depth and skip connections (the flash and mobilenet spaces); {space.name} has none"
    )


def _cell(space: FlashSpace, c: int) -> tuple[str, Floats]:
    """The part that knows all that cell `c` chooses, and the degrees of its configurations."""
    columns = range(3 * c, 3 * c + 3)
    chosen = {i for i in columns if len(space.choices[i].values) > 1}
    part = next(p for p in space.parts if p.name.startswith(f"cell{c + 1}.") and chosen <= set(p.choices))
    width, depth, share = (_values(space, part, i) for i in columns)
    degree = dense_cell if isinstance(space, FlashDenseSpace) else residual_cell
    return part.name, np.broadcast_to(degree(width, depth, np.round(width * share)), len(configurations(space, part)))


def _block(space: MobileNetSpace, part: Part) -> tuple[str, Floats]:
    """A block of a stage in all its configurations; 0 where the depth leaves it out."""
    s, b = (int(number) for number in re.findall(r"\d+", part.name))
    stage, names = space.stages[s - 1], [choice.name for choice in space.choices]

    def value(name: str, legal: Sequence[int]) -> Floats:
        """A choice of the part's configurations; what has one legal value is no choice."""
        return _values(space, part, names.index(name)) if name in names else np.full(1, float(legal[0]))

    c_out = value(f"stage{s}.width", stage.widths)
    before = value(f"stage{s - 1}.width", space.stages[s - 2].widths) if s > 1 else np.full(1, float(space.stem))
    c_in = before if b == 1 else c_out
    hidden = c_in * value(f"{part.name}.expansion", stage.expansions)
    residual = (c_in == c_out) & (b > 1 or stage.stride == 1)
    on = b <= value(f"stage{s}.depth", stage.depths) if b > min(stage.depths) else True
    return part.name, np.broadcast_to(np.where(on, mobile_block(c_in, hidden, c_out, residual), 0.0), len(configurations(space, part)))


def _values(space: SearchSpace, part: Part, choice: int) -> Floats:
    """The value of a choice in every configuration of a part, `(configurations,)`; its only value where the part does not depend on it."""
    values = np.array(space.choices[choice].values, dtype=np.float64)
    if choice not in part.choices:
        return values[:1]
    return values[configurations(space, part)[:, part.choices.index(choice)]]
