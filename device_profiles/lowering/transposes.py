"""Transposes are moved towards other transposes and cancelled where fewer dimensions are moved then.

The runtime's rule: a transpose is pushed through the step that reads it when that lowers the number of dimensions (other than 1) that are
transposed before the step, and before and after it together; behind a value that leads to another transpose a new one costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from device_profiles.lowering.draft import Draft, Step, Unsure
from device_profiles.lowering.permutations import compose, identity, inverted, permuted
from device_profiles.lowering.pushes import MOVED_BELOW, PUSHES, pushed_inputs
from device_profiles.operators import Tensor

#: Kinds through which the runtime pushes transposes, and this does not.
_NOT_MODELLED = frozenset({"Pad", "Shape", "Tile", "ArgMax", "ArgMin", "QuantizeLinear", "DequantizeLinear", "Where", "Max", "Min", "Mean"})

#: Kinds that count as open to transposes although none is pushed through them.
_ONLY_COUNTED = frozenset({"MaxPool"})


class Transposes:
    """One walk over a draft."""

    def __init__(self, draft: Draft, opset: int) -> None:
        self.draft, self.opset, self.leading = draft, opset, set[str]()

    def run(self) -> bool:
        """Pushes what should be pushed; True when something was."""
        order = self.draft.ordered()
        if not any(step.kind == "Transpose" for step in order):
            return False
        self._find_leading(order)
        changed = [self._visit(step) for step in order if step.alive]
        return any(changed)

    def _find_leading(self, order: Sequence[Step]) -> None:
        """Notes the values from which a transpose can be reached through steps that let transposes through."""
        for step in reversed(order):
            if step.kind == "Transpose":
                self.leading.add(step.inputs[0])
            elif step.kind in PUSHES and step.kind not in MOVED_BELOW and not self.leading.isdisjoint(step.outputs):
                self.leading.update(step.inputs[i] for i in pushed_inputs(self.draft, step))

    def _visit(self, step: Step) -> bool:
        for position, value in enumerate(step.inputs):
            above = self.draft.maker.get(value)
            if above is not None and above.kind == "Transpose" and "perm" in above.attributes and self._push(above, step, position):
                return True  # its inputs are others now, or it is gone
        return False

    def _push(self, above: Step, step: Step, position: int) -> bool:
        if step.kind in _NOT_MODELLED:
            raise Unsure(f"a transpose before a step of kind {step.kind}")
        if step.kind not in PUSHES or position not in pushed_inputs(self.draft, step):
            return False
        perm = permutation(above)
        if step.kind != "Transpose" and self._cost(step, perm) >= 0:
            return False
        return PUSHES[step.kind](self, above, step, perm)

    def _cost(self, step: Step, perm: tuple[int, ...]) -> int:
        cost = sum(self._value_cost(step.inputs[i], perm) for i in pushed_inputs(self.draft, step))
        if cost < 0 and step.kind not in MOVED_BELOW and self.leading.isdisjoint(step.outputs):
            cost += max(self._rank(value) for value in step.outputs)
        return cost

    def _value_cost(self, value: str, perm: tuple[int, ...]) -> int:
        if self.draft.constant(value):
            return 0
        maker = self.draft.maker.get(value)
        if maker is not None and maker.kind == "Transpose" and "perm" in maker.attributes:
            return -self._rank(value) if permutation(maker) == perm and self._may_go(value) else 0
        return self._rank(value)

    def _may_go(self, value: str) -> bool:
        """Whether all that read a value are open to transposes."""
        open_kinds = PUSHES.keys() | _NOT_MODELLED | _ONLY_COUNTED
        return value not in self.draft.results and all(step.kind in open_kinds for step in self.draft.readers.get(value, ()))

    def _rank(self, value: str) -> int:
        """Dimensions of a value other than 1."""
        return sum(d != 1 for d in self.draft.shape(value))

    def transpose_inputs(self, step: Step, perm: tuple[int, ...]) -> None:
        """Puts the inverse of `perm` before the inputs that can be transposed; it cancels with what is there."""
        for position in pushed_inputs(self.draft, step):
            self.transpose_input(step, position, inverted(perm))

    def transpose_input(self, step: Step, position: int, perm: tuple[int, ...]) -> None:
        """Lets a step read one of its inputs transposed."""
        draft, value = self.draft, step.inputs[position]
        if draft.constant(value):
            if draft.tensors[value].size > 1:
                if draft.uses(value) > 1:
                    raise Unsure("a transpose before a step whose weights others read too")
                draft.feed(step, position, draft.new_value(_transposed(draft.tensors[value], perm), value))
            return
        maker = draft.maker.get(value)
        if maker is not None and maker.kind == "Transpose" and "perm" in maker.attributes:
            before = permutation(maker)
            if before == inverted(perm):
                draft.feed(step, position, maker.inputs[0])
            else:
                draft.feed(step, position, self._make(maker.inputs[0], compose(before, perm)))
            self.drop_if_unread(maker)
            return
        same = [s for s in draft.readers.get(value, ()) if s.kind == "Transpose" and s.attributes.get("perm") == perm]
        draft.feed(step, position, same[0].outputs[0] if same else self._make(value, perm))

    def transpose_outputs(self, step: Step, perm: tuple[int, ...]) -> None:
        """Puts a transpose behind every output, so that what others read stays as it was."""
        if identity(perm):
            return
        for position, value in enumerate(step.outputs):
            tensor = self.draft.tensors[value]
            made = self.draft.new_value(Tensor(permuted(tensor.shape, inverted(perm)), tensor.dtype), value)
            step.outputs[position] = made
            self.draft.maker[made] = step
            self.draft.add("Transpose", [made], [value], {"perm": perm}, f"{value}.transpose")

    def _make(self, value: str, perm: tuple[int, ...]) -> str:
        tensor = self.draft.tensors[value]
        made = self.draft.new_value(Tensor(permuted(tensor.shape, perm), tensor.dtype), value)
        self.draft.add("Transpose", [value], [made], {"perm": perm}, f"{made}.transpose")
        return made

    def drop_if_unread(self, step: Step) -> None:
        """Takes a step out when nothing reads what it makes."""
        if step.alive and not self.draft.uses(step.outputs[0]) and step.outputs[0] not in self.draft.results:
            self.draft.remove(step)


def permutation(transpose: Step) -> tuple[int, ...]:
    """The `perm` of a transpose."""
    perm = transpose.attributes["perm"]
    assert isinstance(perm, tuple)
    return tuple(int(p) for p in perm)


def _transposed(tensor: Tensor, perm: tuple[int, ...]) -> Tensor:
    """A constant with its dimensions in another order; one of as many numbers as there are dimensions has its numbers in that order."""
    if len(tensor.shape) == 1 and tensor.shape[0] == len(perm):
        values = None if tensor.values is None else tuple(tensor.values[p] for p in perm)
        return Tensor(tensor.shape, tensor.dtype, True, values)
    values = None if tensor.values is None else tuple(np.array(tensor.values).reshape(tensor.shape).transpose(perm).ravel().tolist())
    return Tensor(permuted(tensor.shape, perm), tensor.dtype, True, values)
