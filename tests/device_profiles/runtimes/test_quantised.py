"""int8 models, quantised by onnxruntime's own tool into QDQ form: read, executed, timed alone."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from device_profiles import onnx_io
from device_profiles.operators import Network, Operator
from device_profiles.runtimes import RuntimeProcess

quantization = pytest.importorskip("onnxruntime.quantization")


@pytest.fixture
def quantised(network: Network, tmp_path: Path) -> Path:
    class Images(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            rng = np.random.default_rng(0)
            self.images = iter([{"input": rng.standard_normal((1, 3, 16, 16)).astype(np.float32)} for _ in range(4)])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.images, None)

    plain, target = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    plain.write_bytes(onnx_io.network_model(network))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantization.quantize_static(
            str(plain), str(target), Images(), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
            activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
        )  # fmt: skip
    return target


def test_a_quantised_model_is_read_and_executed_in_int8(runtime: RuntimeProcess, network: Network, quantised: Path) -> None:
    written = onnx_io.read_network(quantised)
    assert written.macs == network.macs
    executed = runtime.executed_graph(onnx_io.name_nodes(quantised.read_bytes()))
    kinds = [op.base_kind for op in executed.operators]
    assert kinds.count("QLinearConv") == 2
    assert "QGemm" in kinds
    assert executed.macs == network.macs
    weights = [op.inputs[3] for op in executed.operators if op.base_kind == "QLinearConv"]
    assert all(w is not None and w.dtype in ("int8", "uint8") for w in weights)
    assert executed.weight_bytes < network.weight_bytes / 2


def test_every_quantised_operator_can_be_timed_alone(runtime: RuntimeProcess, quantised: Path) -> None:
    for operator in runtime.executed_graph(onnx_io.name_nodes(quantised.read_bytes())).operators:
        assert Operator.from_json(operator.to_json()) == operator
        handle = runtime.load(onnx_io.operator_model(operator, 2), isolated=True)
        assert (runtime.time(handle, warmup=1, block_ns=100_000, min_calls=3, max_calls=20) > 0).all()
        runtime.unload(handle)


def test_the_whole_quantised_network_is_timed(runtime: RuntimeProcess, quantised: Path) -> None:
    handle = runtime.load(quantised.read_bytes(), isolated=False)
    assert len(runtime.time(handle, warmup=1, block_ns=0, min_calls=3, max_calls=3)) == 3
    (output,) = runtime.run(handle)
    assert output.dtype == np.float32
    runtime.unload(handle)
