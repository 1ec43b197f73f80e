"""A graph that is being rewritten: steps that can be changed, who makes and who reads every value."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from device_profiles.graphs.graph import neutral, operand
from device_profiles.operators import AttributeValue, Network, Node, Operator, Tensor

#: How far a new step stands behind what it reads; steps of a file stand a whole number apart.
_BESIDE = 1e-6


class Unsure(Exception):
    """The graph holds something of which it is not known here how the runtime executes it."""


@dataclass(eq=False, slots=True)
class Step:
    """A node; `kind` as in `Operator`. A value that is absent is named ""."""

    kind: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, AttributeValue]
    name: str
    #: Steps run in the order of their places where that is possible, see `Draft.ordered`.
    place: float = 0.0
    alive: bool = True


class Draft:
    """Steps, and the tensors of all values by name. Constants of few elements keep their content where it is known."""

    def __init__(self, network: Network, tensors: Mapping[str, Tensor]) -> None:
        self.name, self.inputs, self.results = network.name, network.inputs, network.outputs
        self.tensors = dict(tensors)
        self.maker: dict[str, Step] = {}
        self.readers: dict[str, list[Step]] = {}
        self._steps: list[Step] = []
        self._number = 0
        #: Values that were made here; constants among them are never taken for others of equal content.
        self.made: set[str] = set()
        #: Whether anything was rewritten since it was set to False.
        self.changed = False

    def steps(self, *kinds: str) -> Iterator[Step]:
        """The steps of these kinds (all when none is named) as they are when the walk begins, without those removed since."""
        for step in [step for step in self._steps if not kinds or step.kind in kinds]:
            if step.alive:
                yield step

    def add(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Mapping[str, AttributeValue], name: str = ""
    ) -> Step:
        """A new step; where it stands does not matter, see `ordered`."""
        self.changed = True
        place = max((maker.place for value in inputs if (maker := self.maker.get(value)) is not None), default=0.0) + _BESIDE
        step = Step(kind, list(inputs), list(outputs), dict(attributes), name or outputs[0], place)
        self._steps.append(step)
        for value in step.outputs:
            self.maker[value] = step
        for value in step.inputs:
            self.readers.setdefault(value, []).append(step)
        return step

    def write(self, number: int, node: Node, inputs: Sequence[str], attributes: Mapping[str, AttributeValue]) -> None:
        """The next step of the network as it is written."""
        self.add(node.operator.kind, inputs, node.outputs, attributes, node.name).place = number

    def remove(self, *steps: Step) -> None:
        """Takes steps out; what they made is made by nobody, unless another step was added for it before."""
        self.changed = True
        for step in steps:
            step.alive = False
            for value in step.inputs:
                self.readers[value].remove(step)
            for value in step.outputs:
                if self.maker.get(value) is step:
                    del self.maker[value]

    def absorb(self, step: Step, *after: Step) -> None:
        """Lets a step make what the last of the steps after it makes, and takes those out."""
        self.remove(*after)
        step.place = after[-1].place
        for value in step.outputs:
            self.maker.pop(value, None)
        step.outputs = list(after[-1].outputs)
        self.maker.update(dict.fromkeys(step.outputs, step))

    def append(self, step: Step, value: str) -> None:
        """Gives a step one more input."""
        step.inputs.append(value)
        self.readers.setdefault(value, []).append(step)

    def feed(self, step: Step, position: int, value: str) -> None:
        """Lets a step read another value at one of its inputs."""
        self.changed = True
        self.readers[step.inputs[position]].remove(step)
        step.inputs[position] = value
        self.readers.setdefault(value, []).append(step)

    def redirect(self, old: str, new: str) -> None:
        """Lets all readers of one value read another."""
        for step in list(self.readers.get(old, ())):
            for position, value in enumerate(step.inputs):
                if value == old:
                    self.feed(step, position, new)

    def new_value(self, tensor: Tensor, hint: str) -> str:
        """A new name for a value of this shape."""
        self._number += 1
        name = f"{hint}~{self._number}"
        self.tensors[name] = tensor
        self.made.add(name)
        return name

    def shape(self, value: str) -> tuple[int, ...]:
        """The shape of a value."""
        return self.tensors[value].shape

    def constant(self, value: str) -> bool:
        """Whether a value is a constant."""
        return bool(value) and self.tensors[value].constant

    def scalar(self, value: str) -> float | None:
        """The content of a constant of one element; None for anything else. Raises Unsure when it is not known."""
        tensor = self.tensors.get(value)
        if tensor is None or not tensor.constant or tensor.size != 1:
            return None
        if tensor.values is None:
            raise Unsure(f"the number in {value!r} is not known")
        return float(tensor.values[0])

    def uses(self, value: str) -> int:
        """How many inputs read a value."""
        return len(self.readers.get(value, ()))

    def only_reader(self, value: str) -> Step | None:
        """The step that reads a value when it is read once and is no result."""
        readers = self.readers.get(value, ())
        return readers[0] if len(readers) == 1 and value not in self.results else None

    def ordered(self) -> list[Step]:
        """The steps in an order in which they can run, as near to the order in which they were added as that allows."""
        self._steps = sorted((step for step in self._steps if step.alive), key=lambda step: step.place)
        if not self._in_order():
            self._steps = self._sorted()
        return list(self._steps)

    def _in_order(self) -> bool:
        made: set[str] = set()
        for step in self._steps:
            for value in step.inputs:
                if value in self.maker and value not in made:
                    return False
            made.update(step.outputs)
        return True

    def _sorted(self) -> list[Step]:
        order: list[Step] = []
        done: set[int] = set()
        for first in self._steps:
            stack = [first]
            while stack:
                step = stack[-1]
                missing = [maker for v in step.inputs if (maker := self.maker.get(v)) is not None and id(maker) not in done]
                if missing and id(step) not in done:
                    stack.extend(missing)
                    continue
                stack.pop()
                if id(step) not in done:
                    done.add(id(step))
                    order.append(step)
        return order

    def network(self, defaults: Mapping[str, Mapping[str, AttributeValue]]) -> Network:
        """The network of the steps; `defaults` gives the attributes of a kind that the runtime states although a file does
        not, once it has rewritten anything.

        Raises Unsure when the content of a constant that decides what a kernel does is not known.
        """
        nodes = tuple(Node(self._operator(s, defaults.get(s.kind, {})), s.name, tuple(s.inputs), tuple(s.outputs)) for s in self.ordered())
        return Network(nodes, self.inputs, self.results, self.name)

    def _operator(self, step: Step, defaults: Mapping[str, AttributeValue]) -> Operator:
        inputs = []
        for position, value in enumerate(step.inputs):
            tensor = operand(step.kind, position, self.tensors[value]) if value else None
            if tensor is not None and tensor.constant and tensor.dtype == "int64" and tensor.values is None and tensor.size <= 64:
                raise Unsure(f"the numbers in {value!r} are not known")
            inputs.append(tensor)
        stated = {**defaults, **step.attributes}
        attributes = tuple(sorted((n, single(v)) for n, v in stated.items() if not neutral(step.kind.rsplit(".", 1)[-1], n, v)))
        return Operator(step.kind, tuple(inputs), tuple(self.tensors[value] for value in step.outputs), attributes)


def single(value: AttributeValue) -> AttributeValue:
    """An attribute as a file holds it: fractions have 32 bits."""
    if isinstance(value, float):
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    if isinstance(value, tuple):
        return tuple(single(v) for v in value)  # type: ignore[return-value]
    return value
