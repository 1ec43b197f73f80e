"""What is particular to ncnn; the battery has what every runtime must do."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from device_profiles import onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.operators import Network, Operator, Tensor
from device_profiles.runtimes import RuntimeFailure, RuntimeProcess

pytest.importorskip("ncnn")
if importlib.util.find_spec("pnnx") is None:  # importing it would import torch
    pytest.skip("pnnx is not installed", allow_module_level=True)
X, ROW = Tensor((1, 16, 9, 9)), Tensor((1, 32))


@pytest.fixture(scope="module")
def process() -> Iterator[RuntimeProcess]:
    with RuntimeProcess("ncnn") as running:
        yield running


def constant(*shape: int) -> Tensor:
    return Tensor(shape, constant=True)


def ints(*values: int) -> Tensor:
    return Tensor((len(values),), "int64", True, values)


def op(kind: str, inputs: tuple[Tensor, ...], *outputs: Tensor, **attributes: Any) -> Operator:
    return Operator(kind, inputs, outputs, tuple(sorted(attributes.items())))


ALONE = [
    op("Conv", (X, constant(24, 16, 3, 3), constant(24)), Tensor((1, 24, 5, 5)), kernel_shape=(3, 3), pads=(1, 1, 1, 1), strides=(2, 2)),
    op("Conv", (X, constant(16, 1, 5, 5)), X, kernel_shape=(5, 5), pads=(2, 2, 2, 2), group=16),
    op("ConvTranspose", (X, constant(16, 8, 2, 2)), Tensor((1, 8, 18, 18)), kernel_shape=(2, 2), strides=(2, 2)),
    op("MaxPool", (X,), Tensor((1, 16, 4, 4)), kernel_shape=(3, 3), strides=(2, 2)),
    op("AveragePool", (X,), Tensor((1, 16, 4, 4)), kernel_shape=(2, 2), strides=(2, 2)),
    op("GlobalAveragePool", (X,), Tensor((1, 16, 1, 1))),
    op("BatchNormalization", (X, *[constant(16)] * 4), X),
    op("LRN", (X,), X, size=3),
    op("Gemm", (ROW, constant(10, 32), constant(10)), Tensor((1, 10)), transB=1),
    op("MatMul", (ROW, constant(32, 10)), Tensor((1, 10))),
    op("Softmax", (ROW,), ROW),
    op("Add", (X, X), X),
    op("Mul", (X, Tensor((1, 16, 1, 1))), X),
    op("Concat", (X, X), Tensor((1, 32, 9, 9)), axis=1),
    op("Split", (X, ints(4, 12)), Tensor((1, 4, 9, 9)), Tensor((1, 12, 9, 9)), axis=1),
    op("Slice", (X, ints(2), ints(8), ints(2)), Tensor((1, 16, 6, 9))),
    op("Pad", (X, ints(0, 0, 1, 1, 0, 0, 1, 1)), Tensor((1, 16, 11, 11))),
    op("ReduceMean", (X, ints(2, 3)), Tensor((1, 16)), keepdims=0),
    op("Transpose", (X,), Tensor((1, 9, 9, 16)), perm=(0, 2, 3, 1)),
    op("Reshape", (X, ints(1, 4, 4, 9, 9)), Tensor((1, 4, 4, 9, 9))),
    op("Flatten", (X,), Tensor((1, 1296))),
    op("PRelu", (X, constant(16, 1, 1)), X),
    op("Clip", (X, Tensor((), constant=True, values=(0.0,)), Tensor((), constant=True, values=(6.0,))), X),
    *[op(kind, (X,), X) for kind in ("Relu", "Sigmoid", "HardSigmoid", "HardSwish", "LeakyRelu", "Gelu")],
]


@pytest.mark.parametrize("operator", ALONE, ids=[f"{i}-{operator.kind}" for i, operator in enumerate(ALONE)])
def test_an_operator_alone_computes_what_onnxruntime_computes(process: RuntimeProcess, operator: Operator) -> None:
    handle = process.load(onnx_io.operator_model(operator, 2), isolated=True)  # refuses a wrong result by itself
    assert (process.time(handle, warmup=1, block_ns=0, min_calls=3, max_calls=3) > 0).all()
    first, second = process.run(handle), process.run(handle)  # the inputs are not written over
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    process.unload(handle)


def squeeze_and_excite() -> Network:
    net = NetworkBuilder("se", {"input": Tensor((1, 8, 12, 12))})
    x = net.conv("stem/conv", "input", 16, 3)
    x = net.node("BatchNormalization", "stem/norm", (x,), (1, 16, 12, 12), {n: constant(16) for n in ("scale", "bias", "mean", "var")})
    x = net.activation("stem/act", x, "HardSwish")
    s = net.activation("se/relu", net.conv("se/down", net.global_pool("se/pool", x), 4, 1))
    s = net.activation("se/gate", net.conv("se/up", s, 16, 1), "HardSigmoid")
    x = net.node("Mul", "se/mul", (x, s), (1, 16, 12, 12))
    y = net.activation("swish/sigmoid", x, "Sigmoid")
    x = net.node("Mul", "swish/mul", (x, y), (1, 16, 12, 12))
    return net.build(net.linear("head/fc", net.flatten("head/flatten", net.global_pool("head/pool", x)), 5))


def test_executed_kernels_say_what_was_fused_whatever_it_was_rewritten_to(process: RuntimeProcess) -> None:
    source = squeeze_and_excite()
    executed = process.executed_graph(onnx_io.network_model(source))
    assert executed.macs == source.macs
    assert executed.params == source.params
    kinds = [node.operator.kind for node in executed.nodes]
    assert "ncnn.BatchNormalization" not in kinds  # folded into the convolution before it
    activations = {node.name: node.operator.attribute("activation") for node in executed.nodes}
    assert activations["se/relu"] == "Relu"
    assert "swish/mul" in activations
    assert "swish/sigmoid" not in activations  # one layer, Swish


def test_a_shuffle_of_channels_is_one_kernel_again_when_it_is_alone(process: RuntimeProcess) -> None:
    net = NetworkBuilder("shuffle", {"input": X})
    x = net.activation("relu", net.conv("conv", "input", 16, 1))
    x = net.node("Reshape", "apart", (x,), (1, 4, 4, 9, 9), {"shape": ints(1, 4, 4, 9, 9)})
    x = net.node("Transpose", "shuffle", (x,), (1, 4, 4, 9, 9), perm=(0, 2, 1, 3, 4))
    x = net.node("Reshape", "together", (x,), (1, 16, 9, 9), {"shape": ints(1, 16, 9, 9)})
    executed = process.executed_graph(onnx_io.network_model(net.build(net.conv("last", x, 8, 3))))
    assert [node.operator.base_kind for node in executed.nodes] == ["Conv", "Reshape", "Conv"]
    assert executed.nodes[1].operator.inputs[0] == X
    process.unload(process.load(onnx_io.operator_model(executed.nodes[1].operator, 2), isolated=True))


def test_inputs_of_more_dimensions_than_ncnn_has_are_refused(process: RuntimeProcess) -> None:
    x = Tensor((1, 2, 2, 2, 2, 2))
    with pytest.raises(RuntimeFailure, match="at most 4 dimensions besides the batch"):
        process.load(onnx_io.operator_model(op("Relu", (x,), x)), isolated=True)


def test_what_ncnn_cannot_do_is_named(process: RuntimeProcess) -> None:
    with pytest.raises(RuntimeFailure, match=r"^ncnn cannot run (?!.*\n).*CumSum.*$"):
        process.load(onnx_io.operator_model(op("CumSum", (ROW, Tensor((), "int64", True, (1,))), ROW)), isolated=True)
    assert process.generation == 0


def test_inputs_that_are_no_floats_are_refused(process: RuntimeProcess) -> None:
    indices = Tensor((1, 4), "int64")
    with pytest.raises(RuntimeFailure, match="ncnn is measured with float32 inputs; 'x1' is int64"):
        process.load(onnx_io.operator_model(op("Gather", (Tensor((8, 3)), indices), Tensor((1, 4, 3)))), isolated=False)


def test_a_model_that_hands_on_what_it_gets_is_the_empty_call(process: RuntimeProcess) -> None:
    for isolated in (True, False):
        handle = process.load(onnx_io.operator_model(op("Identity", (Tensor((1,)),), Tensor((1,)))), isolated=isolated)
        assert (process.time(handle, warmup=1, block_ns=0, min_calls=3, max_calls=3) > 0).all()


def test_everything_is_float32_and_said(process: RuntimeProcess) -> None:
    settings = process.fingerprint()["settings"]
    assert settings["precision"] == "float32"
    assert not any(value for name, value in settings.items() if "fp16" in name or "bf16" in name)
    assert settings["pnnx"]
