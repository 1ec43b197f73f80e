"""What a search space is: named choices, the parts of the network that depend on them, and the network of a point.

A space of your own needs `choices`, `parts`, `network` and `supernet`, or `choices`, `parts` and the `blueprint` of a
`hwnas.spaces.drawn.DrawnSpace`, from which the other two follow.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError, unknown
from device_profiles.operators import Network

Archs = npt.NDArray[np.int64]
Value = int | float | str

#: Spaces of the user's own that this process has seen, by the text of their spec; only their code can build them.
OWN: dict[str, SearchSpace] = {}
#: Functions of the user's own that this process has seen, which make such spaces of `classes`, `resolution` and `channels`.
MAKERS: list[Callable[..., Any]] = []


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision: its name and its legal values, in order. An architecture holds the index of the value."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the network and the indices of the choices on which its executed operators depend."""

    name: str
    choices: tuple[int, ...]


class SearchSpace(ABC):
    """Named choices and what they build.

    Architectures are rows of choice indices: `int64` arrays of shape `(n, n_choices)`. Subclasses set `choices` and `parts`, also `name`,
    `classes` and `input_shape` (channels, height, width) where the defaults do not fit, and implement `network` and `supernet`; a space in
    which some choices do nothing for some architectures (blocks beyond the depth) also implements `active` and `size`.
    """

    name: str = "space"
    choices: tuple[Choice, ...]
    parts: tuple[Part, ...]
    classes: int = 10
    input_shape: tuple[int, int, int] = (3, 32, 32)

    @abstractmethod
    def network(self, arch: Sequence[int] | Archs) -> Network:
        """The network of one architecture, for costs: ONNX operators with shapes, no weights, no torch.

        Every node and every value it produces is named `<part>/<something>`.
        """

    @abstractmethod
    def supernet(self) -> Any:
        """The weight-sharing super-network (a torch module; see `hwnas.supernet`)."""

    def spec(self) -> dict[str, Any]:
        """What `hwnas.spaces.from_spec` needs to find this space again, as JSON.

        A space of the user's own is described, not built: another process must have loaded its code (`hwnas.spaces.load`) before.
        """
        described = {
            "kind": "own", "name": self.name, "classes": self.classes, "input_shape": list(self.input_shape),
            "choices": [[choice.name, list(choice.values)] for choice in self.choices],
            "parts": [[part.name, list(part.choices)] for part in self.parts],
        }  # fmt: skip
        OWN[json.dumps(described, sort_keys=True)] = self
        return described

    def image_shape(self, arch: Sequence[int] | Archs) -> tuple[int, int, int]:
        """Channels, height and width of the images that the network of `arch` takes; `input_shape`, unless resolution is a choice."""
        return self.input_shape

    def active(self, archs: Archs) -> npt.NDArray[np.bool_]:
        """Which choices matter for each architecture, shape `(n, n_choices)`; by default all of them."""
        return np.ones(archs.shape, dtype=bool)

    @property
    def size(self) -> int:
        """The exact number of different architectures."""
        return math.prod(self.cardinalities.tolist())

    @property
    def cardinalities(self) -> npt.NDArray[np.int64]:
        """The number of values of each choice, shape `(n_choices,)`."""
        return np.array([len(choice.values) for choice in self.choices], dtype=np.int64)

    def canonical(self, archs: npt.ArrayLike) -> Archs:
        """The same architectures with every choice that does nothing set to index 0; shape `(n, n_choices)`."""
        checked = self.validate(archs)
        return np.where(self.active(checked), checked, 0)

    def sample(self, n: int, rng: np.random.Generator) -> Archs:
        """`n` canonical architectures, every choice drawn uniformly; shape `(n, n_choices)`."""
        return self.canonical(rng.integers(0, self.cardinalities, size=(n, len(self.choices))))

    def validate(self, archs: npt.ArrayLike) -> Archs:
        """The architectures as an `int64` array of shape `(n, n_choices)`; a single row is taken as a batch of one.

        Raises InputError that names the first illegal choice and its legal values.
        """
        array = np.atleast_2d(np.asarray(archs))
        if array.ndim != 2 or array.shape[1] != len(self.choices):
            raise InputError(f"an architecture of {self.name} has {len(self.choices)} choices, got an array of shape {np.shape(archs)}")
        whole = array.dtype.kind in "iu" or (array.dtype.kind == "f" and np.array_equal(array, np.floor(array)))
        if not whole:
            raise InputError(f"an architecture holds whole choice indices, got values of type {array.dtype}")
        array = array.astype(np.int64)
        wrong = (array < 0) | (array >= self.cardinalities)
        if wrong.any():
            row, column = map(int, np.argwhere(wrong)[0])
            choice = self.choices[column]
            legal = ", ".join(f"{i} ({v})" for i, v in enumerate(choice.values))
            raise InputError(f"{self.name}: {choice.name} cannot have index {array[row, column]}; legal: {legal}")
        return array

    def encode(self, values: Mapping[str, Value]) -> Archs:
        """One canonical architecture from `{choice name: value}`; choices left out take their first value; shape `(1, n_choices)`."""
        names = [choice.name for choice in self.choices]
        row = np.zeros(len(names), dtype=np.int64)
        for name, value in values.items():
            if name not in names:
                raise unknown("choice", name, names)
            choice = self.choices[names.index(name)]
            if value not in choice.values:
                raise InputError(f"{self.name}: {name} cannot be {value!r}; legal: {', '.join(map(str, choice.values))}")
            row[names.index(name)] = choice.values.index(value)
        return self.canonical(row)

    def decode(self, arch: npt.ArrayLike) -> dict[str, Value]:
        """`{choice name: value}` of one architecture, choices that do nothing left out."""
        row = self.validate(arch)[:1]
        active = self.active(row)[0]
        return {c.name: c.values[int(i)] for c, i, on in zip(self.choices, row[0], active, strict=True) if on}

    def smallest(self) -> Archs:
        """The architecture of first values, shape `(1, n_choices)`; choices list their values from cheap to costly."""
        return self.canonical(np.zeros(len(self.choices), dtype=np.int64))

    def largest(self) -> Archs:
        """The architecture of last values, shape `(1, n_choices)`."""
        return self.canonical(self.cardinalities - 1)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.name}: {len(self.choices)} choices, {self.size:.3g} architectures, "
            f"input {self.input_shape}, {self.classes} classes>"
        )
