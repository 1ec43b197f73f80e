from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from device_profiles import onnx_io
from device_profiles.operators import Network, Operator, Tensor
from device_profiles.runtimes.pnnx_source import pnnx_source


def old_softmax(opset: int, **attributes: int) -> bytes:
    x, w = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xw")
    nodes = [helper.make_node("Add", ["x", "w"], ["s"]), helper.make_node("Softmax", ["s"], ["y"], **attributes)]
    weight = numpy_helper.from_array(np.ones((1, 4), np.float32), "w")
    graph = helper.make_graph(nodes, "g", [w, x], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])], [weight])
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3).SerializeToString())


def test_a_model_that_is_fine_is_not_copied(network: Network) -> None:
    model = onnx_io.network_model(network)
    assert pnnx_source(model, {name: tensor.shape for name, tensor in network.inputs.items()}, isolated=False) is model


@pytest.mark.parametrize(("opset", "attributes", "axis"), [(9, {}, [1]), (13, {}, []), (9, {"axis": 0}, [0])])
def test_weights_are_no_inputs_and_the_old_axis_is_written(opset: int, attributes: dict[str, int], axis: list[int]) -> None:
    model = onnx.load_model_from_string(pnnx_source(old_softmax(opset, **attributes), {"x": (1, 4)}, isolated=False))
    onnx.checker.check_model(model)
    assert [value.name for value in model.graph.input] == ["x"]
    assert [attribute.i for attribute in model.graph.node[1].attribute] == axis


def test_the_mode_of_a_pad_is_written() -> None:
    pads = Tensor((4,), "int64", True, (0, 1, 0, 1))
    pad = Operator("Pad", (Tensor((1, 4)), pads), (Tensor((1, 6)),))
    model = onnx.load_model_from_string(pnnx_source(onnx_io.operator_model(pad), {"x0": (1, 4)}, isolated=True))
    assert [attribute.s for attribute in model.graph.node[0].attribute] == [b"constant"]
    assert [node.op_type for node in model.graph.node] == ["Pad", "Unsqueeze", "GlobalMaxPool"]
