from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from device_profiles import onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.errors import InputError
from device_profiles.graphs.group_network import as_network
from device_profiles.graphs.groups import group, inputs_of, is_group
from device_profiles.operators import Network, Node, Operator, Tensor


def residual_block() -> Network:
    net = NetworkBuilder("net", {"x": Tensor((1, 8, 6, 6)), "r": Tensor((1, 16, 6, 6))})
    y = net.add("add", "r", net.conv("conv", "x", 16, 3))
    net.activation("relu", y)
    return net.build("relu.out")


def grouped(layouts: tuple[str, ...] = ()) -> Operator:
    return group("openvino", residual_block().nodes, ["relu.out"], layouts).operator


def test_a_group_reads_as_its_main_node_and_counts_the_work_of_all() -> None:
    op = grouped(("acdb", "acdb", "acdb"))
    assert is_group(op)
    assert op.kind == "openvino.Conv"
    assert op.base_kind == "Conv"
    assert op.macs == residual_block().macs
    assert op.params == residual_block().params
    assert op.attribute("activation") == "Relu"
    assert op.attribute("layouts") == "acdb,acdb->acdb"
    assert [t.shape if t else None for t in op.inputs] == [(1, 8, 6, 6), (16, 8, 3, 3), (16,), (1, 16, 6, 6)]
    assert op.read_bytes == 4 * (8 * 36 + 16 * 72 + 16 + 16 * 36)
    assert op.written_bytes == 4 * 16 * 36


def test_a_group_survives_being_written_down() -> None:
    op = grouped(("acdb", "acdb", "acdb"))
    again = Operator.from_json(op.to_json())
    assert again == op
    assert again.key == op.key
    assert grouped().key != op.key  # another layout is another kernel


def test_what_is_added_comes_fourth_without_a_bias_too() -> None:
    conv, add, relu = residual_block().nodes
    bare = Node(
        Operator("Conv", conv.operator.inputs[:2], conv.operator.outputs, conv.operator.attributes), "conv", conv.inputs[:2], conv.outputs
    )
    assert inputs_of([bare, add, relu]) == ["x", "conv.weight", "", "r"]


@pytest.mark.parametrize("layouts", [(), ("acdb", "acdb", "acdb"), ("abcd", "acdb", "acdb"), ("aBcd8b", "aBcd8b", "aBcd8b")])
@pytest.mark.parametrize("copies", [1, 3])
def test_the_model_of_a_group_computes_what_its_nodes_compute(layouts: tuple[str, ...], copies: int) -> None:
    op = grouped(layouts)
    session = ort.InferenceSession(onnx_io.operator_model(op, copies))
    kinds = [node.operator.kind for node in as_network(op, copies).nodes]
    assert [kinds.count(kind) for kind in ("Conv", "Add", "Relu")] == [copies] * 3
    shapes = {value.name: value.shape for value in session.get_inputs()}
    assert sorted(np.prod(shape) for shape in shapes.values()) == [8 * 36, 16 * 36]
    rng = np.random.default_rng(0)
    outputs = session.run(None, {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()})
    assert all(np.isfinite(array).all() for array in outputs)
    assert as_network(op, copies).macs == copies * op.macs


def test_elementwise_kernels_work_on_tensors_as_they_lie() -> None:
    net = NetworkBuilder("net", {"a": Tensor((1, 16, 6, 6)), "b": Tensor((1, 8, 6, 6))})
    net.node("Concat", "concat", ("a", "b"), (1, 24, 6, 6), axis=1)
    node = group("openvino", net.build("concat.out").nodes, ["concat.out"], ("acdb", "acdb", "acdb"))
    (copy,) = as_network(node.operator).nodes
    assert copy.operator.attribute("axis") == 3
    assert [t.shape for t in (*copy.operator.inputs, *copy.operator.outputs) if t] == [(1, 6, 6, 16), (1, 6, 6, 8), (1, 6, 6, 24)]
    ort.InferenceSession(onnx_io.operator_model(node.operator, 2))


def test_copies_without_weights_read_inputs_of_their_own() -> None:
    net = NetworkBuilder("net", {"a": Tensor((1, 4, 6, 6))})
    net.activation("relu", "a")
    node = group("openvino", net.build("relu.out").nodes, ["relu.out"])
    assert len(as_network(node.operator, 3).inputs) == 3


@pytest.mark.parametrize(
    "steps", ["", "[]", "{}", "[[]]", '[["*Conv"]]', '[["*Conv","i9 i1"]]', '[["*Conv","t4"]]', '[["Conv","i0 i1"]]', "[" * 100000]
)
def test_a_broken_group_is_one_line(steps: str) -> None:
    good = grouped()
    broken = Operator(good.kind, good.inputs, good.outputs, tuple((n, steps if n == "steps" else v) for n, v in good.attributes))
    with pytest.raises(InputError, match=r"^not a group of operators: (?!.*\n).+$"):
        as_network(broken)
