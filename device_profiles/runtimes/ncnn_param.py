"""ncnn's text format of a network: a line per layer, read, pruned and written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from device_profiles.errors import DeviceError

_MAGIC = "7767517"


@dataclass(frozen=True)
class Layer:
    """One layer: its type, its name, the blobs it reads and makes, and its parameters as they are written."""

    type: str
    name: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    parameters: str = ""


def read_layers(text: str) -> tuple[Layer, ...]:
    """The layers of a `.param` file. Raises DeviceError when it is none."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 3 or lines[0].strip() != _MAGIC:
        raise DeviceError("pnnx wrote no network that ncnn could read")
    return tuple(map(_layer, lines[2:]))


def _layer(line: str) -> Layer:
    words = line.split()
    try:
        read, made = int(words[2]), int(words[3])
    except (IndexError, ValueError) as error:
        raise DeviceError(f"pnnx wrote a layer that ncnn could not read: {line[:80]!r}") from error
    blobs = words[4 : 4 + read + made]
    return Layer(words[0], words[1], tuple(blobs[:read]), tuple(blobs[read:]), " ".join(words[4 + read + made :]))


def write_layers(layers: Sequence[Layer]) -> str:
    """The `.param` file of some layers."""
    blobs = {blob for layer in layers for blob in layer.tops}
    lines = [_MAGIC, f"{len(layers)} {len(blobs)}"]
    for layer in layers:
        words = [layer.type, layer.name, str(len(layer.bottoms)), str(len(layer.tops)), *layer.bottoms, *layer.tops, layer.parameters]
        lines.append(" ".join(words).rstrip())
    return "\n".join(lines) + "\n"


def pruned(layers: Sequence[Layer], results: Collection[str]) -> tuple[Layer, ...]:
    """The layers that some results need, and the inputs; a `Split` that is left with one reader goes.

    Only layers without weights may be needless: weights lie one after the other in a file of their own.
    """
    needed = set(results)
    kept: list[Layer] = []
    for layer in reversed(layers):
        if layer.type == "Split":
            layer = replace(layer, tops=tuple(top for top in layer.tops if top in needed))
        if layer.type == "Input" or needed & set(layer.tops):
            needed.update(layer.bottoms)
            kept.append(layer)
    same: dict[str, str] = {}
    left = []
    for layer in reversed(kept):
        layer = replace(layer, bottoms=tuple(same.get(blob, blob) for blob in layer.bottoms))
        if layer.type == "Split" and len(layer.tops) == 1 and layer.tops[0] not in results:
            same[layer.tops[0]] = layer.bottoms[0]
        else:
            left.append(layer)
    return tuple(left)


def gathered(layers: Sequence[Layer], results: Sequence[str], name: str) -> tuple[Layer, ...]:
    """The layers and one that does nothing behind them, whose only blob `name` is there when all the results are."""
    return (*layers, Layer("Noop", name, tuple(results), (name,)))
