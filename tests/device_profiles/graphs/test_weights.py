from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from device_profiles.errors import InputError
from device_profiles.graphs import graph, messages, models, weights, wire
from device_profiles.operators import Network


def run(model: bytes) -> list[np.ndarray]:  # type: ignore[type-arg]
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return list(session.run(None, {v.name: np.ones(v.shape, np.float32) for v in session.get_inputs()}))


def test_stripped_networks_run_again_with_finite_results(network: Network) -> None:
    full = models.network_model(network)
    assert weights.fill_weights(full) is full
    empty = weights.without_weights(full)
    assert len(empty) < len(wire.strip_weights(full)) < len(full)
    (output,) = run(weights.fill_weights(empty))
    assert np.isfinite(output).all()
    assert np.abs(output).max() > 0
    assert weights.declared_bytes(empty) == network.weight_bytes


def test_constants_inside_nodes_and_subgraphs_are_filled() -> None:
    big = np.random.default_rng(0).standard_normal((32, 32)).astype(np.float32)
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(big)), helper.make_node("MatMul", ["x", "k"], ["i"])],
        "inner", [], [helper.make_tensor_value_info("i", 1, [32, 32])],
    )  # fmt: skip
    nodes = [
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(True))),
        helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner),
    ]
    made = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", 1, [32, 32])], [helper.make_tensor_value_info("y", 1, [32, 32])]
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()
    stripped = wire.strip_weights(model)
    assert len(stripped) < 2000 < len(model)
    assert np.isfinite(run(weights.fill_weights(stripped))[0]).all()


def test_weights_in_another_file_are_forgotten_and_filled(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    made = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [helper.make_tensor_value_info("x", 1, [4, 4])],
        [helper.make_tensor_value_info("y", 1, [4, 4])], [weight],
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save_model(model, tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    data = weights.forget_files((tmp_path / "m.onnx").read_bytes())
    assert b"w.bin" not in data
    assert run(weights.fill_weights(data))[0].shape == (4, 4)


def test_absurd_weights_are_refused_before_memory_is_taken() -> None:
    tensor = messages.TensorProto(dims=[10**6, 10**6], data_type=TensorProto.FLOAT, name="w")
    node = messages.NodeProto(input=["x", "w"], output=["y"], op_type="MatMul")
    model = messages.ModelProto(graph=messages.GraphProto(node=[node], initializer=[tensor]), opset_import=[messages.OperatorSetIdProto()])
    assert graph.parse(model.encode()).graph.initializer[0].dims == [10**6, 10**6]
    with pytest.raises(InputError, match=r"4000\.0 GB"):
        weights.fill_weights(model.encode())
    tensor.dims = [-3]
    with pytest.raises(InputError, match="no shape or type"):
        weights.fill_weights(model.encode())


def test_scales_and_zero_points_of_quantised_weights_stay_legal() -> None:
    channels = 2000
    weight = np.ones((4, channels), np.int8)
    scale, zero = np.full(channels, 0.02, np.float32), np.zeros(channels, np.int8)
    bias = (np.ones(channels, np.int32), np.full(channels, 0.01, np.float32), np.zeros(channels, np.int32))
    constants = dict(zip(("w", "ws", "wz", "b", "bs", "bz"), (weight, scale, zero, *bias), strict=True))
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wf"], axis=1),
        helper.make_node("DequantizeLinear", ["b", "bs", "bz"], ["bf"], axis=0),
        helper.make_node("Gemm", ["x", "wf", "bf"], ["y"]),
    ]
    made = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", 1, [3, 4])], [helper.make_tensor_value_info("y", 1, [3, channels])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()
    stripped = wire.strip_weights(model)
    assert len(stripped) < 1000
    filled = {proto.name: proto for proto in graph.parse(weights.fill_weights(stripped)).graph.initializer}
    assert (np.frombuffer(filled["ws"].raw_data, np.float32) > 0).all()
    assert not any(filled["bz"].raw_data)
    assert run(weights.fill_weights(stripped))[0].shape == (3, channels)
