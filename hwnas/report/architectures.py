"""An architecture in words and parts, for any space: its choices decoded, and where its MACs and parameters are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from device_profiles.errors import HwnasError

if TYPE_CHECKING:
    from device_profiles.operators import Network
    from hwnas.spaces import SearchSpace

#: What a spec that was edited or written by other code can raise.
BROKEN = (HwnasError, KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class PartRow:
    """One part of a network (stem, one block, head): the choices of its own, the shape it hands on, and its share of the whole."""

    name: str
    choices: tuple[tuple[str, str], ...]
    output: str
    macs: int
    params: int


@dataclass(frozen=True, slots=True)
class Description:
    """An architecture for readers. `summary` is one line, `lines` one line per group of choices; costs are None without a network."""

    summary: str = ""
    lines: tuple[str, ...] = ()
    parts: tuple[PartRow, ...] = ()
    macs: int | None = None
    params: int | None = None
    peak_activation_bytes: float | None = None


class Describer:
    """Describes the architectures of the space in a run's spec; of a space that cannot be built it shows the indices alone."""

    def __init__(self, spec: Any) -> None:
        self.space = _load(spec)

    @property
    def size(self) -> int | None:
        """The number of architectures of the space, None when it cannot be built."""
        return None if self.space is None else self.space.size

    def describe(self, arch: Sequence[int], network: bool = True) -> Description:
        """The description of one architecture; `network=False` leaves the parts and costs out, which is much faster."""
        plain = Description(f"[{', '.join(map(str, arch))}]")
        if self.space is None:
            return plain
        try:
            values = {name: str(value) for name, value in self.space.decode(list(arch)).items()}
        except BROKEN:
            return plain
        summary, lines = _summary(values), _lines(values)
        if not network:
            return Description(summary, lines)
        try:
            net = self.space.network(list(arch))
            return Description(summary, lines, _parts(values, net), net.macs, net.params, net.peak_activation_bytes)
        except BROKEN:
            return Description(summary, lines)


def _load(spec: Any) -> SearchSpace | None:
    from hwnas.spaces import from_spec

    try:
        return from_spec(spec)
    except BROKEN:
        return None


def _summary(values: Mapping[str, str]) -> str:
    """The choices nearest to the root of the names, `width 16·24·32, depth 1·2·1`; the rest is in the details."""
    level = min((name.count(".") for name in values), default=0)
    top = {name: value for name, value in values.items() if name.count(".") == level}
    return ", ".join(_collect(top)) or "no choices"


def _lines(values: Mapping[str, str]) -> tuple[str, ...]:
    """One line per first component of the names: `stage2: width 24, depth 2, kernel 3·5, expansion 2·4`."""
    groups: dict[str, dict[str, str]] = {}
    for name, value in values.items():
        groups.setdefault(name.split(".")[0] if "." in name else "", {})[name] = value
    return tuple(f"{group}: {', '.join(_collect(own))}" if group else ", ".join(_collect(own)) for group, own in groups.items())


def _collect(values: Mapping[str, str]) -> list[str]:
    """The values of equally named choices side by side: `kernel 3·5·3`."""
    by_leaf: dict[str, list[str]] = {}
    for name, value in values.items():
        by_leaf.setdefault(name.rsplit(".", 1)[-1], []).append(value)
    return [f"{leaf} {'·'.join(found)}" for leaf, found in by_leaf.items()]


def _parts(values: Mapping[str, str], net: Network) -> tuple[PartRow, ...]:
    """Nodes are named `<part>/<something>`; choices belong to the part whose name they begin with."""
    macs: dict[str, int] = {}
    params: dict[str, int] = {}
    shapes: dict[str, str] = {}
    for node in net.nodes:
        part = node.name.split("/")[0]
        macs[part] = macs.get(part, 0) + node.operator.macs
        params[part] = params.get(part, 0) + node.operator.params
        shapes[part] = "×".join(map(str, node.operator.outputs[0].shape[1:])) if node.operator.outputs else ""
    return tuple(PartRow(part, _own(values, part), shapes[part], macs[part], params[part]) for part in macs)


def _own(values: Mapping[str, str], part: str) -> tuple[tuple[str, str], ...]:
    prefix = f"{part}."
    return tuple((name.removeprefix(prefix), value) for name, value in values.items() if name.startswith(prefix))
