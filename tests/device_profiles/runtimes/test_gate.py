from __future__ import annotations

import numpy as np
import pytest

from device_profiles import onnx_io
from device_profiles.operators import Network
from device_profiles.runtimes import RuntimeFailure, RuntimeProcess
from device_profiles.runtimes.gate import wrong_result

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


def test_the_comparison_is_made_once_per_model(runtime: RuntimeProcess, network: Network) -> None:
    model = onnx_io.network_model(network)
    pytest.importorskip("openvino")
    with RuntimeProcess("openvino") as process:
        process.load(model, isolated=False)
        assert process._reference is not None
        process._reference.close()
        process._reference = Liar(runtime)  # type: ignore[assignment]
        assert process.load(model, isolated=False)
