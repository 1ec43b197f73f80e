from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from device_profiles.errors import DeviceError, InputError

pytest.importorskip("ncnn")
if importlib.util.find_spec("pnnx") is None:  # importing it would import torch
    pytest.skip("pnnx is not installed", allow_module_level=True)
from device_profiles.runtimes import RuntimeProcess
from device_profiles.runtimes.ncnn_model import prepared


def model(kind: str, shape: list[int | str], opset: int = 9, dtype: int = TensorProto.FLOAT, **attributes: int) -> bytes:
    """`kind` on an input, behind a sum with a weight that is listed among the inputs before it, as old files do."""
    nodes = [helper.make_node("Add", ["x", "w"], ["s"]), helper.make_node(kind, ["s"], ["y"], **attributes)]
    values = [helper.make_tensor_value_info("w", dtype, [1]), helper.make_tensor_value_info("x", dtype, shape)]
    weight = numpy_helper.from_array(np.ones(1, helper.tensor_dtype_to_np_dtype(dtype)), "w")
    graph = helper.make_graph(nodes, "g", values, [helper.make_tensor_value_info("y", dtype, shape)], [weight])
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3).SerializeToString())


def test_weights_among_the_inputs_are_no_inputs() -> None:
    with prepared(model("Relu", [1, 4, 6, 6]), isolated=True) as ready:
        assert [place.blob for place, _ in ready.inputs] == ["in0"]
        assert [array.shape for _, array in ready.inputs] == [(1, 4, 6, 6)]
        assert [place.shape for place in ready.outputs] == [(1, 4, 6, 6)]
        assert [layer.type for layer in ready.layers] == ["Input", "BinaryOp", "ReLU"]
        assert list(ready.feeds) == ["x"]


def test_a_batch_that_is_not_fixed_is_one() -> None:
    with prepared(model("Relu", ["batch", 4, 6, 6]), isolated=False) as ready:
        assert ready.inputs[0][0].shape == (1, 4, 6, 6)
        assert ready.outputs[0].shape is None


@pytest.mark.parametrize("opset", [9, 13])
def test_the_axis_of_an_old_softmax_is_the_old_default(opset: int) -> None:
    with RuntimeProcess("ncnn") as process:
        (output,) = process.run(process.load(model("Softmax", [1, 10, 1, 1], opset), isolated=False))
    assert np.isclose(output.sum(), 1.0 if opset == 9 else 10.0)


def test_a_model_of_other_numbers_is_refused() -> None:
    with (
        pytest.raises(DeviceError, match=r"^ncnn is measured with float32 inputs; 'x' is float64$"),
        prepared(model("Relu", [1, 4], dtype=TensorProto.DOUBLE), isolated=False),
    ):
        pass


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(InputError), prepared(b"not a model", isolated=False):
        pass
