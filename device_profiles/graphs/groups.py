"""Several nodes that a runtime runs as one kernel, as one `Operator` that can be written down, timed alone and priced.

The operator of a group has the kind of its *main* node (the one with the most work) behind the name of the runtime, `openvino.Conv`, with
the attributes and first inputs of that node, so that whatever reads convolutions reads it too. Three more attributes say the rest:

- `steps`, JSON: `[kind, inputs, attributes, results]` per node in running order. Inputs are `i<n>` (input n of the operator) or `t<n>`
  (result of a step, counted over all of them); attributes are left out for the main node and where there are none; results are left out
  where a step makes one tensor like the operator's first output.
- `results`, JSON: the values that the outputs are; left out when it is the last result alone.
- `layouts`: how the tensors lie in memory, `acdb,acdb->acdb`, a letter per dimension from the outermost; left out when all are in order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from device_profiles.operators import Node, Operator, Tensor

#: Element-wise functions of one tensor, as features of fused operators name them.
_ACTIVATIONS = frozenset(
    {
        "Relu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "LeakyRelu", "PRelu", "Tanh", "Elu", "Selu", "Gelu", "Softplus", "Mish",
        "Swish",
    }
)  # fmt: skip

#: The attributes that are those of the group and not of its main node.
OWN = ("steps", "results", "layouts", "activation")


@dataclass
class _Writer:
    """What the steps of a group read from outside, numbered, and what they make."""

    inputs: list[Tensor | None]
    names: list[str]
    made: dict[str, str] = field(default_factory=dict)

    def reference(self, name: str, tensor: Tensor | None) -> str:
        """The reference of a value that a step reads; "-" for none."""
        if not name:
            return "-"
        if name in self.made:
            return self.made[name]
        if name not in self.names:
            self.names.append(name)
            self.inputs.append(tensor)
        return f"i{self.names.index(name)}"


def is_group(operator: Operator) -> bool:
    """Whether an operator is a group, whose nodes `group_network.as_network` gives."""
    return operator.attribute("steps") is not None


def group(runtime: str, nodes: Sequence[Node], outputs: Sequence[str], layouts: Sequence[str] = ()) -> Node:
    """One node for those that run as one kernel.

    `nodes` in running order; `outputs`: the values that others read; `layouts`: of the inputs that are not constant, in the order of
    the names in `inputs_of(nodes)`, then of the outputs; () where all are in order.
    """
    plain = all(layout == "".join(sorted(layout)) for layout in layouts)
    tensors = {name: tensor for node in nodes for name, tensor in zip(node.outputs, node.operator.outputs, strict=True)}
    main = max(nodes, key=lambda node: node.operator.macs).operator
    names = inputs_of(nodes)
    writer = _Writer([_tensor(nodes, name) for name in names], list(names))
    results = tuple(tensors[name] for name in outputs)
    steps = [_step(node, node.operator is main, writer, results[0]) for node in nodes]
    attributes: dict[str, Any] = {name: value for name, value in main.attributes if name not in OWN}
    attributes["steps"] = json.dumps(steps, separators=(",", ":"))
    last = [node.operator.kind for node in nodes if node.operator is not main and node.operator.kind in _ACTIVATIONS]
    if last:
        attributes["activation"] = last[-1]
    references = [writer.made[name] for name in outputs]
    if references != [f"t{len(writer.made) - 1}"]:
        attributes["results"] = json.dumps(references, separators=(",", ":"))
    if not plain:
        variable = sum(tensor is not None and not tensor.constant for tensor in writer.inputs)
        attributes["layouts"] = f"{','.join(layouts[:variable])}->{','.join(layouts[variable:])}"
    kind = f"{runtime}.{main.kind.rpartition('.')[2]}"
    operator = Operator(kind, tuple(writer.inputs), results, tuple(sorted(attributes.items())))
    return Node(operator, nodes[-1].name, tuple(writer.names), tuple(outputs))


def inputs_of(nodes: Sequence[Node]) -> list[str]:
    """The names of what a group reads from outside: those of its main node first, in their places, "" for none; then the others.

    A convolution keeps a place for its bias, so that what is added to its result always comes fourth.
    """
    made = {name for node in nodes for name in node.outputs}
    main = max(nodes, key=lambda node: node.operator.macs)
    others = list(dict.fromkeys(name for node in nodes for name in node.inputs if name and name not in made and name not in main.inputs))
    names: list[str] = []
    for name in main.inputs:
        if name in made:  # made inside the group, such as a padded input: the group's own input stands in its place
            name = others.pop(0) if others else ""
        if not name or name not in names:
            names.append(name)
    if others and main.operator.base_kind == "Conv" and len(names) == 2:
        names.append("")
    return [*names, *others]


def _tensor(nodes: Sequence[Node], name: str) -> Tensor | None:
    if not name:
        return None
    return next(t for node in nodes for n, t in zip(node.inputs, node.operator.inputs, strict=True) if n == name)


def _step(node: Node, is_main: bool, writer: _Writer, like: Tensor) -> list[Any]:
    operator = node.operator
    references = [writer.reference(name, tensor) for name, tensor in zip(node.inputs, operator.inputs, strict=True)]
    for name in node.outputs:
        writer.made[name] = f"t{len(writer.made)}"
    step: list[Any] = [("*" if is_main else "") + operator.kind, " ".join(references)]
    attributes = {} if is_main else {name: list(v) if isinstance(v, tuple) else v for name, v in operator.attributes}
    results = [] if operator.outputs == (like,) else [tensor.to_json() for tensor in operator.outputs]
    if attributes or results:
        step.append(attributes)
    if results:
        step.append(results)
    return step
