"""Operators and networks: what a runtime executes, as shapes and attributes, without weights.

An `Operator` is one kernel with everything its cost can depend on; two operators with the same `key` are the same
measurement. A `Network` is a graph of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from device_profiles.errors import InputError

#: Bytes of one element.
ITEM_BYTES = {
    "float32": 4.0, "float16": 2.0, "bfloat16": 2.0, "float64": 8.0, "int8": 1.0, "uint8": 1.0, "int16": 2.0, "uint16": 2.0,
    "int32": 4.0, "uint32": 4.0, "int64": 8.0, "uint64": 8.0, "bool": 1.0, "string": 16.0, "complex64": 8.0, "complex128": 16.0,
    "float8e4m3fn": 1.0, "float8e4m3fnuz": 1.0, "float8e5m2": 1.0, "float8e5m2fnuz": 1.0, "int4": 0.5, "uint4": 0.5, "float4e2m1": 0.5,
}  # fmt: skip

#: Constants up to this many elements keep their values: shapes, axes, pads, clip bounds decide what a kernel does.
MAX_VALUES = 64

#: No tensor has as many elements, and none of its dimensions is as long.
MAX_SIZE = 1 << 48

AttributeValue = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tensor:
    """Shape and type of a tensor; a small constant keeps its values.

    `values` is the flattened content of a constant of at most `MAX_VALUES` elements whose content decides what the kernel does
    (integers, scalars); weights have `values=None`.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    constant: bool = False
    values: tuple[float, ...] | tuple[int, ...] | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> float:
        """Bytes of the dense tensor."""
        return self.size * ITEM_BYTES.get(self.dtype, 4.0)

    def __str__(self) -> str:
        text = f"{'*' if self.constant else ''}{self.dtype}[{','.join(map(str, self.shape))}]"
        return text if self.values is None else f"{text}=({','.join(f'{v:g}' for v in self.values)})"

    def to_json(self) -> dict[str, Any]:
        """A JSON object; fields at their default are left out."""
        data: dict[str, Any] = {"shape": list(self.shape)}
        if self.dtype != "float32":
            data["dtype"] = self.dtype
        if self.constant:
            data["constant"] = True
        if self.values is not None:
            data["values"] = _plain(self.values)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Tensor:
        """The inverse of `to_json`."""
        shape, values = tuple(data["shape"]), data.get("values")
        if not all(type(d) is int and 0 <= d < MAX_SIZE for d in shape) or math.prod(shape) >= MAX_SIZE:
            raise ValueError(f"no tensor has the shape {str(shape)[:60]}")
        values = None if values is None else [_unplain(v) for v in values]
        if values is not None and not all(isinstance(v, int | float) for v in values):
            raise ValueError("the values of a constant are numbers")
        constant = bool(data.get("constant", False))
        return cls(shape, str(data.get("dtype", "float32")), constant, None if values is None else tuple(values))


@dataclass(frozen=True)
class Operator:
    """One kernel as a runtime executes it.

    `kind` is the operator type with a short domain prefix where it is not standard ONNX (`Conv`, `nchwc.Conv`, `microsoft.FusedConv`).
    `attributes` are sorted by name and hold only what differs from the neutral value. `inputs` has None for an absent optional input.
    """

    kind: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    attributes: tuple[tuple[str, AttributeValue], ...] = ()

    @cached_property
    def key(self) -> str:
        """The canonical text: equal keys mean the same kernel on the same shapes. Readable, and stable across processes."""
        attributes = ",".join(f"{name}={_text(value)}" for name, value in self.attributes)
        inputs = " ".join("-" if t is None else str(t) for t in self.inputs)
        return f"{self.kind}{{{attributes}}} {inputs} -> {' '.join(map(str, self.outputs))}"

    def attribute(self, name: str, default: Any = None) -> Any:
        """The value of an attribute, or `default`."""
        for attribute, value in self.attributes:
            if attribute == name:
                return value
        return default

    @property
    def base_kind(self) -> str:
        """The kind without its domain and without a `Fused` prefix: `nchwc.Conv` and `microsoft.FusedConv` are `Conv`."""
        return self.kind.rsplit(".", 1)[-1].removeprefix("Fused")

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulate operations; 0 for kernels that only move or compare data."""
        if self.attribute("steps") is not None:
            from device_profiles.graphs.group_network import as_network

            return as_network(self).macs
        return _macs(self)

    @property
    def params(self) -> int:
        """Elements of the constant inputs that are weights (constants whose values are kept are not)."""
        return sum(t.size for t in self.inputs if t is not None and t.constant and t.values is None)

    @property
    def weight_bytes(self) -> float:
        """Bytes of the constant inputs that are weights."""
        return sum(t.bytes for t in self.inputs if t is not None and t.constant and t.values is None)

    @property
    def read_bytes(self) -> float:
        """Bytes of all inputs, weights included."""
        return sum(t.bytes for t in self.inputs if t is not None)

    @property
    def written_bytes(self) -> float:
        """Bytes of all outputs."""
        return sum(t.bytes for t in self.outputs)

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which `from_json` makes an equal operator."""
        return {
            "kind": self.kind,
            "attributes": {
                name: [_plain(v) for v in value] if isinstance(value, tuple) else _plain(value) for name, value in self.attributes
            },
            "inputs": [None if t is None else t.to_json() for t in self.inputs],
            "outputs": [t.to_json() for t in self.outputs],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Operator:
        """The inverse of `to_json`. Raises InputError when the object is no operator."""
        try:
            attributes = tuple(sorted((str(n), _attribute(v)) for n, v in data.get("attributes", {}).items()))
            inputs = tuple(None if t is None else Tensor.from_json(t) for t in data["inputs"])
            return cls(str(data["kind"]), inputs, tuple(Tensor.from_json(t) for t in data["outputs"]), attributes)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"not an operator: {str(data)[:80]!r} ({error})") from error


def _plain(value: Any) -> Any:
    """A number, a text or a tuple as JSON has it; a number that is not finite, such as the -inf of a mask, as an object with its name."""
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value if not isinstance(value, float) or math.isfinite(value) else {"float": str(value)}


def _unplain(value: Any) -> Any:
    """The inverse of `_plain`."""
    return float(value["float"]) if isinstance(value, dict) else value


def _attribute(value: Any) -> AttributeValue:
    value = [_unplain(v) for v in value] if isinstance(value, list) else _unplain(value)
    if isinstance(value, list) and all(isinstance(v, int | float | str) for v in value):
        return tuple(value)
    if isinstance(value, int | float | str):
        return value
    raise ValueError(f"an attribute is a number, a text or a list of them, not {str(value)[:40]}")


def _text(value: AttributeValue) -> str:
    return "x".join(_text(v) for v in value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else str(value)


def _macs(op: Operator) -> int:
    kind, out = op.base_kind, op.outputs[0] if op.outputs else None
    if out is None or len(op.inputs) < 2 or op.inputs[0] is None or op.inputs[1] is None:
        return 0
    first, second = op.inputs[0], op.inputs[1]
    if kind in ("Conv", "ConvInteger"):
        return out.size * math.prod(second.shape[1:])
    if kind == "QLinearConv" and len(op.inputs) > 3 and op.inputs[3] is not None:
        return out.size * math.prod(op.inputs[3].shape[1:])
    if kind == "ConvTranspose":
        return first.size * math.prod(second.shape[1:])
    if kind in ("Gemm", "MatMul", "MatMulInteger", "MatMulNBits", "QLinearMatMul", "QGemm") and not first.shape:
        return 0
    if kind == "Gemm":
        return out.size * (first.shape[0] if op.attribute("transA", 0) else first.shape[-1])
    if kind in ("MatMul", "MatMulInteger", "MatMulNBits"):
        return out.size * (first.shape[-2] if op.attribute("transA", 0) and len(first.shape) > 1 else first.shape[-1])
    if kind in ("QLinearMatMul", "QGemm"):
        return out.size * first.shape[-1]
    if kind in ("LSTM", "GRU", "RNN") and len(op.inputs) > 2 and op.inputs[2] is not None and len(first.shape) == 3:
        return math.prod(first.shape[:2]) * (second.size + op.inputs[2].size)  # every weight once per step and sequence
    return _einsum_macs(op) if kind == "Einsum" else 0


def _einsum_macs(op: Operator) -> int:
    """The product of all indices that are summed or kept, as long as no index is hidden behind an ellipsis."""
    terms = str(op.attribute("equation", "")).replace(" ", "").partition("->")[0].split(",")
    pairs = [(term, tensor.shape) for term, tensor in zip(terms, op.inputs, strict=False) if tensor is not None]
    known = all(len(term) == len(shape) for term, shape in pairs) and len(pairs) > 1
    return math.prod({letter: size for term, shape in pairs for letter, size in zip(term, shape, strict=True)}.values()) if known else 0


@dataclass(frozen=True, slots=True)
class Node:
    """An operator at its place in a network: `inputs` and `outputs` are names of values, "" for an absent optional input."""

    operator: Operator
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Network:
    """Operators and the values that connect them, in an order in which they can run.

    `inputs` maps the names of the graph's inputs to their tensors, `outputs` names its results.
    """

    nodes: tuple[Node, ...]
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]
    name: str = "network"
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def operators(self) -> list[Operator]:
        """The operator of every node, in order."""
        return [node.operator for node in self.nodes]

    def counts(self) -> list[tuple[Operator, int]]:
        """The distinct operators with how often each occurs, in order of first occurrence."""
        first: dict[str, Operator] = {}
        for op in self.operators:
            first.setdefault(op.key, op)
        number = Counter(op.key for op in self.operators)
        return [(op, number[key]) for key, op in first.items()]

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations of all nodes."""
        return sum(op.macs for op in self.operators)

    def _weights(self) -> Iterable[Tensor]:
        seen: set[str] = set()
        for node in self.nodes:
            for name, tensor in zip(node.inputs, node.operator.inputs, strict=True):
                if tensor is not None and tensor.constant and tensor.values is None and name not in seen:
                    seen.add(name)
                    yield tensor

    @property
    def params(self) -> int:
        """Elements of all weights; a weight used twice counts once."""
        return sum(t.size for t in self._weights())

    @property
    def weight_bytes(self) -> float:
        """Bytes of all weights; a weight used twice counts once."""
        return sum(t.bytes for t in self._weights())

    @cached_property
    def peak_activation_bytes(self) -> float:
        """Largest sum of the bytes of activations alive at one time, when nodes run in order and a value dies after its last reader."""
        last: dict[str, int] = {name: len(self.nodes) for name in self.outputs}
        for index, node in enumerate(self.nodes):
            for name in node.inputs:
                last[name] = max(last.get(name, index), index)
        alive = {name: tensor.bytes for name, tensor in self.inputs.items()}
        peak = sum(alive.values())
        for index, node in enumerate(self.nodes):
            for name, tensor in zip(node.outputs, node.operator.outputs, strict=True):
                if name:
                    alive[name] = tensor.bytes
            peak = max(peak, sum(alive.values()))
            for name in (*node.inputs, *node.outputs):
                if name in alive and last.get(name, index) <= index:
                    del alive[name]
        return peak
