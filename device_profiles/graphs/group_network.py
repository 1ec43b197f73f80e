"""The nodes of a group as a network that a runtime, given it alone, runs as the same kernel again.

What a kernel reads and writes may lie in memory in another order than its shape says. The network is arranged so that the kernel finds
that order and nothing is moved:

- A convolution prefers its order whatever it is given: a `Transpose` around it is only another name for what lies there. Where it adds
  to a tensor it writes over it, so copies add one after the other, and only a corner of the last result is taken out.
- A kernel that works on each element alone works on the tensors as they lie, with shapes in that order.
- For other kernels (pooling, shuffling channels) no ONNX model says the order: they run on tensors that lie as their shapes say.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from device_profiles.errors import InputError
from device_profiles.graphs.groups import OWN
from device_profiles.operators import Network, Node, Operator, Tensor

#: Kernels that look at one element of each input at a time, so that only the order in memory matters, not the shape.
_ELEMENTWISE = frozenset(
    {
        "Add", "Sub", "Mul", "Div", "Sum", "Max", "Min", "Relu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "LeakyRelu", "PRelu",
        "Tanh", "Elu", "Selu", "Gelu", "Softplus", "Mish", "Swish", "Erf", "Sqrt", "Abs", "Neg", "Exp", "Concat", "BatchNormalization",
    }
)  # fmt: skip

#: Kernels around which a `Transpose` moves nothing, or moves what the kernel itself must move.
_TRANSPOSABLE = frozenset({"Conv", "ConvTranspose", "GlobalAveragePool", "ReduceMean", "Flatten", "Reshape"})


def as_network(operator: Operator, copies: int = 1) -> Network:
    """The standard operators of a group as a network that holds it `copies` times, side by side.

    All copies of a kernel with weights read the same first input; each has weights, further inputs and outputs of its own. Copies of a
    kernel without weights have all inputs of their own: a runtime would run equal kernels on equal inputs only once. Raises
    InputError when the operator is no whole group.
    """
    try:
        return _Reader(operator).network(copies)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, StopIteration, RecursionError) as error:
        raise InputError(f"not a group of operators: {operator.key[:120]!r} ({type(error).__name__}: {error})") from error


class _Reader:
    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.steps = json.loads(str(operator.attribute("steps")))
        if not isinstance(self.steps, list) or [str(step[0])[:1] for step in self.steps].count("*") != 1:
            raise ValueError("its steps must name one main node")
        count = sum(len(step[3]) if len(step) > 3 else 1 for step in self.steps)
        self.results: list[str] = json.loads(str(operator.attribute("results", json.dumps([f"t{count - 1}"]))))
        tensors = dict(enumerate(operator.inputs))
        self.variable = [i for i, tensor in tensors.items() if tensor is not None and not tensor.constant]
        self.shared = self.variable[:1] if any(t is not None and t.constant and t.values is None for t in operator.inputs) else []
        before, _, after = str(operator.attribute("layouts", "->")).partition("->")
        kinds = {step[0].removeprefix("*") for step in self.steps}
        self.in_place = kinds <= _ELEMENTWISE and len(set(before.split(",") + after.split(","))) == 1
        transposed = not self.in_place and next(s[0] for s in self.steps if s[0].startswith("*"))[1:] in _TRANSPOSABLE
        transposed = transposed and "Transpose" not in kinds
        self.layouts_in = dict(zip(self.variable, before.split(",") if transposed else [""] * len(self.variable), strict=False))
        self.layouts_out = (after.split(",") if transposed else []) + [""] * len(self.results)
        self.stored_as = after.split(",")[0] if self.in_place else ""

        # A convolution that adds to a tensor writes its result over it: each copy adds to what the copy before has made.
        added = [i for i in self.variable[1:] if operator.inputs[i] == operator.outputs[0] and self.shared and len(self.results) == 1]
        self.chained = added[-1] if added and kinds & {"Add", "Sum"} else None

    def network(self, copies: int) -> Network:
        """The nodes of the kernel, `copies` times."""
        nodes: list[Node] = []
        inputs: dict[str, Tensor] = {}
        outputs: list[str] = []
        for copy in range(copies):
            for index in self.variable:
                name, tensor = self._input(index, copy), self._lying(self.operator.inputs[index])
                order = _order(self.layouts_in.get(index, ""), tensor)
                if name not in inputs and not (index == self.chained and copy):
                    inputs[name] = _stored(tensor, order)
                    if order:
                        nodes.append(_transpose(name, f"{name}.read", _stored(tensor, order), tensor, _inverse(order)))
            nodes.extend(self._copy(copy))
            if self.chained is not None and copy < copies - 1:
                continue
            for number, (result, made) in enumerate(zip(self.results, self.operator.outputs, strict=True)):
                order = _order(self.layouts_out[number], made)
                outputs.append(f"{result}_{copy}")
                if self.chained is not None and len(made.shape) > 2:
                    nodes.append(_corner(outputs[-1], made))
                    outputs = [f"{outputs[-1]}.corner"]
                elif order:
                    nodes.append(_transpose(outputs[-1], f"{outputs[-1]}.kept", made, _stored(made, order), order))
                    outputs[-1] += ".kept"
        return Network(tuple(nodes), inputs, tuple(outputs), "operator")

    def _input(self, index: int, copy: int) -> str:
        return f"x{index}" if index in self.shared else f"x{index}_{copy}"

    def _lying(self, tensor: Tensor | None) -> Tensor:
        """A tensor as it lies in memory, for kernels that work on it so; one of fewer dimensions is broadcast as before."""
        assert tensor is not None
        rank = len(self.operator.outputs[0].shape)
        whole = replace(tensor, shape=(1,) * (rank - len(tensor.shape)) + tensor.shape)
        order = _order(self.stored_as, whole)
        return _stored(whole, order) if order and tensor.size > 1 else tensor

    def _copy(self, copy: int) -> list[Node]:
        nodes: list[Node] = []
        tensors: dict[str, Tensor | None] = {f"i{i}": tensor for i, tensor in enumerate(self.operator.inputs)}
        made_so_far = 0
        for number, step in enumerate(self.steps):
            kind, references = step[0].removeprefix("*"), step[1].split()
            results = [Tensor.from_json(t) for t in step[3]] if len(step) > 3 else [self.operator.outputs[0]]
            written = step[2].items() if len(step) > 2 else ()
            attributes = [a for a in self.operator.attributes if a[0] not in OWN] if step[0].startswith("*") else written
            plain = tuple(sorted((name, tuple(v) if isinstance(v, list) else v) for name, v in attributes))
            made = [f"t{made_so_far + i}" for i in range(len(results))]
            made_so_far += len(made)
            operator = Operator(kind, tuple(None if r == "-" else tensors[r] for r in references), tuple(results), plain)
            tensors.update(zip(made, results, strict=True))
            names = tuple(self._name(reference, copy) for reference in references)
            node = Node(operator, f"n{copy}_{number}", names, tuple(f"{name}_{copy}" for name in made))
            nodes.extend(self._as_stored(node) if self.stored_as else [node])
        return nodes

    def _name(self, reference: str, copy: int) -> str:
        if reference == "-":
            return ""
        if reference.startswith("t"):
            return f"{reference}_{copy}"
        index = int(reference[1:])
        if index not in self.variable:
            return f"w{index}_{copy}"
        if index == self.chained and copy:
            return f"{self.results[0]}_{copy - 1}"
        tensor, name = self.operator.inputs[index], self._input(index, copy)
        return f"{name}.read" if tensor is not None and _order(self.layouts_in.get(index, ""), tensor) else name

    def _as_stored(self, node: Node) -> Iterable[Node]:
        """The node on tensors as they lie; a normalisation, which knows channels, becomes the product and the sum that it is."""
        op = node.operator
        if op.kind == "BatchNormalization":
            first = self._lying(op.inputs[0])
            factor = self._lying(Tensor((op.outputs[0].shape[1], *(1,) * (len(first.shape) - 2)), constant=True))
            middle = f"{node.outputs[0]}.scaled"
            scale = Operator("Mul", (first, factor), (first,))
            yield Node(scale, f"{node.name}.scale", (node.inputs[0], f"{node.name}.factor"), (middle,))
            yield Node(Operator("Add", (first, factor), (first,)), node.name, (middle, f"{node.name}.shift"), node.outputs)
            return
        inputs = tuple(None if tensor is None else self._lying(tensor) for tensor in op.inputs)
        attributes = op.attributes
        if op.kind == "Concat":
            rank = len(op.outputs[0].shape)
            attributes = (("axis", _order(self.stored_as, op.outputs[0]).index(int(op.attribute("axis")) % rank)),)
        outputs = tuple(self._lying(tensor) for tensor in op.outputs)
        yield Node(Operator(op.kind, inputs, outputs, attributes), node.name, node.inputs, node.outputs)


def _order(layout: str, tensor: Tensor) -> tuple[int, ...]:
    """The dimensions from the outermost in memory; () when they are in order, or lie in blocks, which no ONNX tensor can."""
    order = tuple(ord(letter) - ord("a") for letter in layout)
    rank = len(tensor.shape)
    return order if sorted(order) == list(range(rank)) and order != tuple(range(rank)) else ()


def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(order.index(d) for d in range(len(order)))


def _stored(tensor: Tensor, order: tuple[int, ...]) -> Tensor:
    return replace(tensor, shape=tuple(tensor.shape[d] for d in order)) if order else tensor


def _corner(source: str, tensor: Tensor) -> Node:
    """The first of all positions, over all channels: reads next to nothing, in whatever order the tensor lies."""
    axes = tuple(range(2, len(tensor.shape)))
    bounds = [Tensor((len(axes),), "int64", True, values) for values in ((0,) * len(axes), (1,) * len(axes), axes)]
    result = replace(tensor, shape=(*tensor.shape[:2], *(1,) * len(axes)))
    names = tuple(f"{source}.{name}" for name in ("starts", "ends", "axes"))
    return Node(Operator("Slice", (tensor, *bounds), (result,)), f"{source}.slice", (source, *names), (f"{source}.corner",))


def _transpose(source: str, target: str, before: Tensor, after: Tensor, perm: tuple[int, ...]) -> Node:
    return Node(Operator("Transpose", (before,), (after,), (("perm", perm),)), f"{target}.order", (source,), (target,))
