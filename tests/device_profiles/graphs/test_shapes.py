"""Sizes that are computed inside a graph, against the reference evaluator of the onnx package."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from device_profiles import onnx_io
from device_profiles.errors import InputError
from device_profiles.graphs.shapes import computed

node = helper.make_node


def model_of(nodes: list[Any], constants: dict[str, Any], result: list[int | str | None]) -> Any:
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 15, 10])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, result)],
        [numpy_helper.from_array(np.array(v), n) for n, v in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def padded() -> Any:
    """Zeros up to the next multiple of 4, in the order and with the detours in which the exporter of torch writes them."""
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "two"], ["h"]),
        node("Mod", ["h", "four"], ["m"]),
        node("Sub", ["four", "m"], ["missing"]),
        node("Unsqueeze", ["missing", "axis"], ["u"]),
        node("ConstantOfShape", ["six"], ["zeros"], value=helper.make_tensor("v", TensorProto.INT64, [1], [0])),
        node("Concat", ["zero", "zero", "zero", "u"], ["last"], axis=0),
        node("Concat", ["last", "zeros"], ["all"], axis=0),
        node("Slice", ["all", "start", "end", "axis", "back"], ["reversed"]),
        node("Slice", ["reversed", "axis", "eight", "axis"], ["some"]),
        node("Reshape", ["some", "pairs"], ["p"]),
        node("Transpose", ["p"], ["t"], perm=[1, 0]),
        node("Reshape", ["t", "flat"], ["f"]),
        node("Cast", ["f"], ["pads"], to=TensorProto.INT64),
        node("Abs", ["x"], ["a"]),
        node("Pad", ["a", "pads"], ["q"]),
        node("Relu", ["q"], ["y"]),
    ]
    constants = {
        "two": 2, "four": 4, "axis": [0], "zero": [0], "six": [4], "start": [-1], "end": [-(2**63) + 1], "back": [-1], "eight": [8],
        "pairs": [4, 2], "flat": [-1],
    }  # fmt: skip
    return model_of(nodes, constants, [None] * 4)


def test_pads_that_are_computed() -> None:
    from onnx.reference import ReferenceEvaluator

    model = padded()
    expected = ReferenceEvaluator(model).run(None, {"x": np.zeros((1, 3, 15, 10), np.float32)})[0].shape
    network = onnx_io.read_network(model.SerializeToString())
    assert network.nodes[-1].operator.outputs[0].shape == expected
    assert [n.operator.kind for n in network.nodes if n.operator.kind in ("Pad", "Relu")] == ["Pad", "Relu"]


def test_a_shape_that_depends_on_the_input_stays_unknown() -> None:
    nodes = [node("NonZero", ["x"], ["n"]), node("Cast", ["n"], ["y"], to=TensorProto.FLOAT)]
    with pytest.raises(InputError, match="not known"):
        onnx_io.read_network(model_of(nodes, {}, [None, None]).SerializeToString())


def test_sizes_without_end_are_not_computed() -> None:
    many = model_of([node("Relu", ["x"], ["y"])], {"many": [10**6, 10**6], "one": [1]}, [1, 3, 15, 10])
    many.graph.node.extend([node("Expand", ["one", "many"], ["e"]), node("ConstantOfShape", ["many"], ["c"])])
    assert computed(many, {}, lambda proto: numpy_helper.to_array(proto)) == {}
