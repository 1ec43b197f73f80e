from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import pytest

from device_profiles import onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.operators import Network, Operator, Tensor
from device_profiles.runtimes import RuntimeFailure, RuntimeProcess
from device_profiles.runtimes.gate import before_softmax, wrong_result

RIGHT = np.linspace(-2.0, 2.0, 12, dtype=np.float32).reshape(3, 4)


def test_rounding_is_accepted_and_more_is_not() -> None:
    assert wrong_result("openvino", [RIGHT * (1 + 1e-5)], [RIGHT]) is None
    assert "wrong result" in (wrong_result("openvino", [RIGHT * 1.01], [RIGHT]) or "")
    one = RIGHT.copy()
    one[1, 1] += 0.1  # a single element is enough
    assert "wrong result" in (wrong_result("openvino", [one], [RIGHT]) or "")


def test_less_precise_runtimes_are_given_more() -> None:
    rounded = RIGHT * (1 + 4e-3)
    assert wrong_result("openvino", [rounded], [RIGHT])
    assert wrong_result("torch-cuda-tf32", [rounded], [RIGHT]) is None
    assert wrong_result("torch-cuda-bf16", [RIGHT * 1.05], [RIGHT]) is None
    assert wrong_result("torch-cuda-bf16", [RIGHT * 1.5], [RIGHT])


def test_whole_numbers_on_the_edge_of_two_steps_may_be_rounded_to_either() -> None:
    right = np.arange(200, dtype=np.uint8).reshape(10, 20)
    edge, two_steps, everywhere = right.copy(), right.copy(), right + np.uint8(1)
    edge[3, 4] += 1
    two_steps[3, 4] += 2
    assert wrong_result("openvino", [edge], [right]) is None
    assert wrong_result("openvino", [two_steps], [right])
    assert wrong_result("openvino", [everywhere], [right])


@pytest.mark.parametrize("output", [RIGHT.T, RIGHT[:2], np.where(RIGHT > 1, np.nan, RIGHT), np.where(RIGHT > 1, np.inf, RIGHT)])
def test_other_shapes_and_numbers_that_are_none_are_wrong(output: np.ndarray) -> None:
    assert wrong_result("openvino", [output], [RIGHT])


def test_a_missing_output_is_wrong() -> None:
    assert wrong_result("openvino", [], [RIGHT])


class Liar:
    """A reference that computes something else."""

    def __init__(self, runtime: RuntimeProcess) -> None:
        self.runtime = runtime

    def load(self, model: bytes, isolated: bool) -> int:
        return self.runtime.load(model, isolated)

    def run(self, handle: int) -> list[np.ndarray]:
        return [array + 1.0 for array in self.runtime.run(handle)]

    def unload(self, handle: int) -> None:
        self.runtime.unload(handle)

    def close(self) -> None:
        pass


def test_a_wrong_result_is_refused_when_the_model_is_loaded(runtime: RuntimeProcess, network: Network) -> None:
    model = onnx_io.network_model(network)
    pytest.importorskip("openvino")
    with RuntimeProcess("openvino") as process:
        process._reference = Liar(runtime)  # type: ignore[assignment]
        with pytest.raises(RuntimeFailure, match="wrong result: output 0 differs"):
            process.load(model, isolated=False)
        process._reference = None
        assert process.load(model, isolated=False)


def saturating() -> bytes:
    """A classifier whose softmax has inputs so large that rounding moves all probability."""
    net = NetworkBuilder("saturating", {"input": Tensor((1, 8, 12, 12))})
    flat = net.flatten("flatten", net.global_pool("pool", net.conv("conv", "input", 64, 3)))
    net.linear("fc", flat, 10)
    built = net.build(net.activation("softmax", "fc.out", "Softmax"))
    weights = {"conv.weight": np.full((64, 8, 3, 3), 1e9, np.float32), "fc.weight": np.full((10, 64), 1e3, np.float32)}
    return onnx_io.network_model(built, weights)


class Elsewhere(Liar):
    """A reference that runs another model than it is asked to."""

    def __init__(self, runtime: RuntimeProcess, change: Callable[[bytes], bytes]) -> None:
        super().__init__(runtime)
        self.change = change

    def load(self, model: bytes, isolated: bool) -> int:
        return self.runtime.load(self.change(model), isolated)

    def run(self, handle: int) -> list[np.ndarray]:
        return self.runtime.run(handle)


def one_percent_more(model: bytes) -> bytes:
    proto = onnx.load_model_from_string(model)
    for weight in proto.graph.initializer:
        if weight.name == "conv.weight":
            weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * np.float32(1.01), weight.name))
    return proto.SerializeToString()


def test_a_softmax_that_saturates_neither_hides_a_wrong_kernel_nor_makes_one(runtime: RuntimeProcess) -> None:
    pytest.importorskip("openvino")
    model = saturating()
    with RuntimeProcess("openvino") as process:
        assert process.load(model, isolated=False)
    hidden = [runtime.run(runtime.load(m, isolated=False))[0] for m in (model, one_percent_more(model))]
    assert wrong_result("openvino", hidden[:1], hidden[1:]) is None  # what comes out of the softmax tells nothing
    with RuntimeProcess("openvino") as process:
        process._reference = Elsewhere(runtime, one_percent_more)  # type: ignore[assignment]
        with pytest.raises(RuntimeFailure, match="wrong result: output 0 differs"):
            process.load(model, isolated=False)


@pytest.mark.parametrize("name", ["light_squeezenet", "light_inception_v1"])
def test_networks_of_the_onnx_package_are_accepted(name: str) -> None:
    pytest.importorskip("openvino")
    file = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"{name}.onnx"
    if not file.exists():
        pytest.skip("this onnx package came without its networks")
    with RuntimeProcess("openvino") as process:
        assert process.load(onnx_io.name_nodes(file.read_bytes()), isolated=False)


def test_a_softmax_alone_is_compared_itself() -> None:
    shape = (Tensor((2, 7)),)
    assert before_softmax(onnx_io.operator_model(Operator("Softmax", shape, shape), 3)) is None


def test_the_comparison_is_made_once_per_model(runtime: RuntimeProcess, network: Network) -> None:
    model = onnx_io.network_model(network)
    pytest.importorskip("openvino")
    with RuntimeProcess("openvino") as process:
        process.load(model, isolated=False)
        assert process._reference is not None
        process._reference.close()
        process._reference = Liar(runtime)  # type: ignore[assignment]
        assert process.load(model, isolated=False)
