"""The blocked layout of the runtime's convolutions: channels in blocks that fill a vector register, "NCHWc".

Convolutions and pools take it where their channels allow, element-wise steps between them keep it, and what else reads such a value gets
it through a ReorderOutput. Sums and activations behind a convolution run inside it. Within the layout the number of channels is rounded
up to whole blocks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from device_profiles.lowering.activations import PLAIN
from device_profiles.lowering.draft import Draft, Step, Unsure, single
from device_profiles.operators import AttributeValue, Tensor

#: Values come into the layout only with a multiple of so many channels.
_ALIGNED = 4

#: Element-wise steps of one input that work on blocks as on anything else.
_ELEMENTWISE = (*PLAIN, "HardSigmoid", "Gelu", "microsoft.Gelu", "microsoft.QuickGelu")


@dataclass(slots=True)
class _Blocked:
    """A value in the layout: its name there, what makes it, its channels, how often it was read and how many of those remain."""

    value: str
    maker: Step
    channels: int
    started: int
    left: int


class Nchwc:
    """Rewrites a draft into the layout with blocks of so many channels."""

    def __init__(self, draft: Draft, block: int) -> None:
        self.draft, self.block = draft, block
        self.blocked: dict[str, _Blocked] = {}
        self.reordered: dict[str, str] = {}

    def run(self) -> None:
        """Rewrites every step in turn, then gives back what is still read in the layout of images."""
        for step in self.draft.ordered():
            if step.alive:
                self._step(step)
        for value, found in self.blocked.items():
            if found.left > 0:
                self.draft.add("nchwc.ReorderOutput", [found.value], [value], {"channels": found.channels}, f"{value}.reorder")
        for step in self.draft.steps("Transpose"):
            if not self.draft.uses(step.outputs[0]) and step.outputs[0] not in self.draft.results:
                self.draft.remove(step)

    def _step(self, step: Step) -> None:
        if step.kind in ("Conv", "microsoft.FusedConv"):
            self._conv(step)
        elif step.kind in ("MaxPool", "AveragePool"):
            self._pool(step)
        elif any(value in self.blocked for value in step.inputs):
            self._follow(step)

    def _follow(self, step: Step) -> None:
        """A step that takes the layout only because what it reads has it."""
        if step.kind in ("GlobalAveragePool", "GlobalMaxPool"):
            self._pool(step)
        elif step.kind in ("Add", "Mul", "Sum"):
            self._pairwise(step)
        elif step.kind == "Concat":
            self._concat(step)
        elif step.kind in _ELEMENTWISE:
            self._elementwise(step)
        elif step.kind == "BatchNormalization":
            self._norm(step)
        elif step.kind in ("Resize", "Upsample"):
            self._resize(step)
        elif step.kind == "Transpose":
            self._transpose(step)

    def _up(self, channels: int) -> int:
        """Channels in whole blocks."""
        return -(-channels // self.block) * self.block

    def _tensor(self, value: str, channels: int) -> Tensor:
        """An image in the layout."""
        shape = self.draft.shape(value)
        return Tensor((shape[0], self._up(channels), *shape[2:]))

    def _enter(self, value: str) -> str:
        """The name of a value in the layout; a step that changes it comes first where it has none yet."""
        found = self.blocked.get(value)
        if found is not None:
            found.left -= 1
            return found.value
        if value not in self.reordered:
            name = self.draft.new_value(self._tensor(value, self.draft.shape(value)[1]), value)
            source, last = self._before_transpose(value)
            self.draft.add("nchwc.ReorderInput", [source], [name], {"channels_last": last}, f"{value}.reorder")
            self.reordered[value] = name
        return self.reordered[value]

    def _before_transpose(self, value: str) -> tuple[str, int]:
        """Where to read a value from: before the transpose that put its channels second for this step alone, if there is one."""
        maker = self.draft.maker.get(value)
        alone = self.draft.only_reader(value) is not None
        if alone and maker is not None and maker.kind == "Transpose" and maker.attributes.get("perm") == (0, 3, 1, 2):
            return maker.inputs[0], 1
        return value, 0

    def _leave(self, step: Step, result: str, channels: int) -> None:
        """Notes that a step makes `result` in the layout, under another name."""
        uses = self.draft.uses(result) + (result in self.draft.results)
        name = self.draft.new_value(self._tensor(result, channels), result)
        self.draft.maker.pop(result, None)
        step.outputs[0] = name
        self.draft.maker[name] = step
        self.blocked[result] = _Blocked(name, step, channels, uses, uses)

    def _absorb(self, step: Step, into: _Blocked) -> None:
        """A step becomes part of the convolution that makes what it reads."""
        result = step.outputs[0]
        uses = self.draft.uses(result) + (result in self.draft.results)
        self.draft.remove(step)
        self.blocked[result] = _Blocked(into.value, into.maker, into.channels, uses, uses)

    def _conv(self, step: Step) -> None:
        draft = self.draft
        weights = draft.tensors[step.inputs[1]]
        if not all(map(draft.constant, step.inputs[1:])) or weights.dtype != "float32" or len(weights.shape) != 4:
            return
        outputs, inputs, *kernel = weights.shape
        groups = int(step.attributes.get("group", 1))  # type: ignore[arg-type]
        padded, reads_images = self._channels(outputs, inputs, groups)
        if padded is None:
            return
        x = step.inputs[0] if reads_images else self._enter(step.inputs[0])
        names = [x, draft.new_value(Tensor((self._up(outputs), padded, *kernel), constant=True), step.inputs[1])]
        if len(step.inputs) > 2:
            names.append(draft.new_value(Tensor((self._up(outputs),), constant=True), step.inputs[2]))
        attributes = dict(step.attributes)
        if groups > 1 and inputs == 1 and groups == outputs:
            attributes["group"] = self._up(outputs)
        self._replace(step, "nchwc.Conv", names, attributes, outputs)

    def _channels(self, outputs: int, inputs: int, groups: int) -> tuple[int | None, bool]:
        """Channels that a filter reads, in whole blocks where it must, and whether it reads images as they are; None: not in the layout."""
        if groups == 1:
            if inputs < self.block:
                return inputs, True
            return (None if inputs % _ALIGNED else self._up(inputs)), False
        if inputs == 1 and outputs == groups:
            return (None if outputs % _ALIGNED else 1), False
        if inputs % self.block or outputs % groups or outputs // groups % self.block:
            return None, False
        return inputs, False

    def _replace(self, step: Step, kind: str, inputs: list[str], attributes: Mapping[str, AttributeValue], channels: int) -> None:
        result = step.outputs[0]
        self.draft.remove(step)
        made = self.draft.add(kind, inputs, [result], attributes, step.name)
        self._leave(made, result, channels)

    def _pool(self, step: Step) -> None:
        shape = self.draft.shape(step.inputs[0])
        if len(step.outputs) > 1 or len(shape) != 4 or shape[1] % self.block:
            return
        self._replace(step, f"nchwc.{step.kind}", [self._enter(step.inputs[0])], dict(step.attributes), shape[1])

    def _pairwise(self, step: Step) -> None:
        draft = self.draft
        if step.kind == "Mul" and (self._scale(step) or self._hard_swish(step)):
            return
        if not all(value in self.blocked for value in step.inputs):
            return
        found = [self.blocked[value] for value in step.inputs]
        if len({f.channels for f in found}) > 1:
            return
        if len({draft.shape(value) for value in step.inputs}) > 1:
            if step.kind == "Mul":
                return
            raise Unsure("a sum of values of different shapes in the blocked layout")
        for position, f in enumerate(found):
            f.left -= 1
            draft.feed(step, position, f.value)
        if step.kind != "Mul" and len(found) == 2:
            for f, other in ((found[0], found[1]), (found[1], found[0])):
                if self._open(f) and len(f.maker.inputs) < 4:
                    if len(f.maker.inputs) < 3:
                        draft.append(f.maker, "")
                    self._absorb(step, f)
                    draft.append(f.maker, other.value)
                    return
        self._leave(step, step.outputs[0], found[0].channels)

    def _open(self, found: _Blocked) -> bool:
        """Whether a convolution can take in the step behind it."""
        return found.maker.kind == "nchwc.Conv" and found.started == 1 and "activation" not in found.maker.attributes

    def _hard_swish(self, step: Step) -> bool:
        """x * HardSigmoid(x) behind a convolution that nothing else reads runs inside it."""
        draft = self.draft
        for x, gate in ((step.inputs[0], step.inputs[1]), (step.inputs[1], step.inputs[0])):
            found, made = self.blocked.get(x), self.blocked.get(gate)
            if found is None or made is None or made.maker.kind != "HardSigmoid" or made.maker.inputs[0] != found.value:
                continue
            numbers = tuple(single(made.maker.attributes.get(n, d)) for n, d in (("alpha", 0.2), ("beta", 0.5)))
            if numbers != (single(1 / 6), 0.5) or found.maker.kind != "nchwc.Conv" or found.started != 2 or made.started != 1:
                return False
            if "activation" in found.maker.attributes or step.outputs[0] in draft.results:
                return False
            found.maker.attributes["activation"] = "HardSwish"
            draft.remove(made.maker)
            del self.blocked[gate]
            found.left = 0
            self._absorb(step, found)
            return True
        return False

    def _scale(self, step: Step) -> bool:
        """A product with one number per channel becomes a depthwise convolution of size one."""
        draft = self.draft
        for value, other in ((step.inputs[0], step.inputs[1]), (step.inputs[1], step.inputs[0])):
            if value in self.blocked and draft.constant(other):
                channels = self.blocked[value].channels
                if draft.shape(other) not in ((channels, 1, 1), (1, channels, 1, 1)):
                    continue
                weights = draft.new_value(Tensor((self._up(channels), 1, 1, 1), constant=True), other)
                self._replace(step, "nchwc.Conv", [self._enter(value), weights], {"group": self._up(channels)}, channels)
                return True
        return False

    def _concat(self, step: Step) -> None:
        if step.attributes.get("axis") != 1 or not all(value in self.blocked for value in step.inputs):
            return
        found = [self.blocked[value] for value in step.inputs]
        if any(f.channels % self.block for f in found):
            return
        for position, f in enumerate(found):
            f.left -= 1
            self.draft.feed(step, position, f.value)
        self._leave(step, step.outputs[0], sum(f.channels for f in found))

    def _elementwise(self, step: Step) -> None:
        found = self.blocked[step.inputs[0]]
        found.left -= 1
        self.draft.feed(step, 0, found.value)
        if self._open(found) and step.kind in (*PLAIN, "HardSigmoid"):
            found.maker.attributes["activation"] = step.kind
            self._absorb(step, found)
        else:
            self._leave(step, step.outputs[0], found.channels)

    def _norm(self, step: Step) -> None:
        found = self.blocked[step.inputs[0]]
        if len(step.outputs) > 1 or not all(self.draft.constant(v) and self.draft.shape(v) == (found.channels,) for v in step.inputs[1:5]):
            return
        up = self._up(found.channels)
        weights = self.draft.new_value(Tensor((up, 1, 1, 1), constant=True), step.inputs[1])
        bias = self.draft.new_value(Tensor((up,), constant=True), step.inputs[2])
        self._replace(step, "nchwc.Conv", [self._enter(step.inputs[0]), weights, bias], {"group": up}, found.channels)

    def _resize(self, step: Step) -> None:
        stated = step.attributes
        if stated.get("mode", "nearest") != "nearest":
            raise Unsure("an image in the blocked layout is resized otherwise than to the nearest")
        scales = self.draft.tensors[step.inputs[2]].values if step.kind == "Resize" and len(step.inputs) == 3 else None
        if (
            scales is None
            or len(scales) != 4
            or stated.get("coordinate_transformation_mode") != "asymmetric"
            or stated.get("nearest_mode") != "floor"
        ):
            raise Unsure("a kind of resizing that was not compared with the runtime")
        if tuple(scales[:2]) != (1.0, 1.0) or any(math.floor(s) != s for s in scales):
            return
        attributes: dict[str, AttributeValue] = {"coordinate_transformation_mode": "asymmetric", "mode": "nearest"}
        attributes["scales"] = tuple(int(s) for s in scales)
        found = self.blocked[step.inputs[0]]
        self._replace(step, "nchwc.Upsample", [self._enter(step.inputs[0])], attributes, found.channels)

    def _transpose(self, step: Step) -> None:
        """Channels are put last while the value is given back."""
        if step.attributes.get("perm") != (0, 2, 3, 1):
            return
        found = self.blocked[step.inputs[0]]
        found.left -= 1
        self.draft.remove(step)
        attributes = {"channels": found.channels, "channels_last": 1}
        self.draft.add("nchwc.ReorderOutput", [found.value], step.outputs, attributes, step.name)
