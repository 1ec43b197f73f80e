from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from device_profiles import onnx_io
from device_profiles.errors import InputError
from device_profiles.graphs import wire
from device_profiles.operators import Network

LIGHT = sorted(glob.glob(os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data", "light", "*.onnx")))


def model_of(
    *nodes: Any, inputs: dict[str, list[Any]], outputs: dict[str, list[Any] | None], weights: dict[str, np.ndarray[Any, Any]]
) -> bytes:
    graph = helper.make_graph(
        list(nodes), "g",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [numpy_helper.from_array(a, n) for n, a in weights.items()],
    )  # fmt: skip
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString())


def conv_model(c_in: int = 3, weight_in: int = 3, batch: Any = 1) -> bytes:
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="the_conv", pads=[1, 1, 1, 1])
    return model_of(node, inputs={"x": [batch, c_in, 8, 8]}, outputs={"y": None}, weights={"w": np.ones((4, weight_in, 3, 3), np.float32)})


def test_written_network_reads_back_the_same(network: Network) -> None:
    again = onnx_io.read_network(onnx_io.network_model(network))
    assert [op.key for op in again.operators] == [op.key for op in network.operators]
    assert [node.inputs for node in again.nodes] == [node.inputs for node in network.nodes]
    assert (again.macs, again.params, again.peak_activation_bytes) == (network.macs, network.params, network.peak_activation_bytes)


def test_written_models_pass_the_full_checker_and_run(network: Network) -> None:
    model = onnx_io.network_model(network)
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {"input": np.ones((1, 3, 16, 16), np.float32)})
    assert output.shape == (1, 10)
    assert np.isfinite(output).all()
    assert np.abs(output).min() > 1e-30


def test_given_weights_are_used_and_checked(network: Network) -> None:
    weights = {"head/fc.weight": np.zeros((10, 16), np.float32), "head/fc.bias": np.arange(10, dtype=np.float32)}
    session = onnxruntime.InferenceSession(onnx_io.network_model(network, weights), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {"input": np.ones((1, 3, 16, 16), np.float32)})
    np.testing.assert_array_equal(output[0], np.arange(10))
    with pytest.raises(InputError, match=r"head/fc\.bias.*shape \(3,\)"):
        onnx_io.network_model(network, {"head/fc.bias": np.zeros(3, np.float32)})


@pytest.mark.parametrize("path", LIGHT, ids=[Path(p).stem for p in LIGHT])
def test_real_models_are_read_and_agree_with_the_stock_shape_inference(path: str) -> None:
    network = onnx_io.read_network(path)
    inferred = onnx.shape_inference.infer_shapes(onnx.load(path))
    shapes = {v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim) for v in inferred.graph.value_info}
    compared = 0
    for node in network.nodes:
        for name, tensor in zip(node.outputs, node.operator.outputs, strict=True):
            if name in shapes:
                assert tensor.shape == shapes[name]
                compared += 1
    assert compared > 10
    assert network.macs > 1e8


def test_macs_and_params_of_known_networks() -> None:
    known = {"light_bvlc_alexnet": (654.6e6, 60.97e6), "light_resnet50": (4089e6, 25.6e6), "light_vgg19": (19632e6, 143.7e6)}
    for path in LIGHT:
        if Path(path).stem in known:
            macs, params = known[Path(path).stem]
            network = onnx_io.read_network(path)
            assert network.macs == pytest.approx(macs, rel=0.002)
            assert network.params == pytest.approx(params, rel=0.002)


def test_stripping_keeps_shapes_and_small_constants_and_drops_weights() -> None:
    node = helper.make_node("Reshape", ["x", "shape"], ["r"])
    gemm = helper.make_node("MatMul", ["r", "w"], ["y"])
    big = np.random.default_rng(0).standard_normal((256, 300)).astype(np.float32)
    data = model_of(node, gemm, inputs={"x": [4, 8, 8]}, outputs={"y": [1, 300]}, weights={"shape": np.array([1, 256]), "w": big})
    stripped = wire.strip_weights(data)
    assert len(stripped) < 1000 < len(data)
    network = onnx_io.read_network(data)
    assert network.operators[0].inputs[1] is not None
    assert network.operators[0].inputs[1].values == (1, 256)
    assert network.params == big.size
    assert network.nodes[1].operator.outputs[0].shape == (1, 300)


def test_symbolic_batch_is_one_and_other_dimensions_must_be_named() -> None:
    assert onnx_io.read_network(conv_model(batch="N")).inputs["x"].shape == (1, 3, 8, 8)
    assert onnx_io.read_network(conv_model(batch="N"), {"N": 5}).inputs["x"].shape == (5, 3, 8, 8)
    node = helper.make_node("Relu", ["x"], ["y"])
    data = model_of(node, inputs={"x": [1, "length"]}, outputs={"y": None}, weights={})
    with pytest.raises(InputError, match="length=224"):
        onnx_io.read_network(data)
    assert onnx_io.read_network(data, {"length": 7}).inputs["x"].shape == (1, 7)


def test_unnamed_nodes_are_told_apart() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Neg", ["b"], ["y"], name="n"),
    ]
    data = model_of(*nodes, inputs={"x": [1, 4]}, outputs={"y": [1, 4]}, weights={})
    names = [node.name for node in onnx.load_from_string(onnx_io.name_nodes(data)).graph.node]
    assert len(set(names)) == 3


def test_files_that_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").write_bytes(b"")
    (tmp_path / "text.onnx").write_text("this is not a model, it is a letter\n")
    good = conv_model()
    (tmp_path / "cut.onnx").write_bytes(good[: len(good) // 2])
    for name, words in {"missing": "No such file", "empty": "empty", "text": "not", "cut": "not"}.items():
        with pytest.raises(InputError, match=words) as caught:
            onnx_io.read_network(tmp_path / f"{name}.onnx")
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_wrong_weight_shape_is_named() -> None:
    with pytest.raises(InputError, match="the_conv"):
        onnx_io.read_network(conv_model(c_in=3, weight_in=5))


def test_operator_set_from_the_future() -> None:
    model = onnx.load_from_string(conv_model())
    model.opset_import[0].version = 999
    with pytest.raises(InputError, match="newer"):
        onnx_io.read_network(model.SerializeToString())


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_corrupted_models_give_one_line_or_a_network(data: st.DataObject) -> None:
    good = bytearray(conv_model())
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(good[: data.draw(st.integers(1, len(good)))])
    try:
        network: Network | None = onnx_io.read_network(cut)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert network is not None
    assert network.nodes


def test_isolated_operators_run_as_they_are(runtime: Any, network: Network) -> None:
    executed = runtime.executed_graph(onnx_io.network_model(network))
    assert any(op.kind == "nchwc.Conv" for op in executed.operators) or any(op.base_kind == "Conv" for op in executed.operators)
    for operator in executed.operators:
        handle = runtime.load(onnx_io.operator_model(operator, copies=3), isolated=True)
        times = runtime.time(handle, warmup=1, block_ns=100_000, min_calls=3, max_calls=50)
        assert len(times) >= 3
        assert (times > 0).all()
