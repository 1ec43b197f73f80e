from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from device_profiles import onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.errors import DeviceError
from device_profiles.graphs.models import network_model
from device_profiles.operators import Network, Tensor
from device_profiles.runtimes import RuntimeCrash, RuntimeFailure, RuntimeProcess, lowering


def test_executed_graph_is_fused_and_keeps_the_work(runtime: RuntimeProcess, network: Network) -> None:
    executed = runtime.executed_graph(onnx_io.network_model(network))
    kinds = [op.base_kind for op in executed.operators]
    assert "Relu" not in kinds  # fused into the convolution before it
    assert kinds.count("Conv") == 2
    assert executed.macs == network.macs  # 16 channels need no padding
    assert [op.key for op in executed.operators] == [op.key for op in runtime.executed_graph(onnx_io.network_model(network)).operators]


def test_names_of_executed_nodes_lead_back_to_the_source(runtime: RuntimeProcess, network: Network) -> None:
    executed = runtime.executed_graph(onnx_io.network_model(network))
    scopes = ("stem/", "block/", "head/")
    for node in executed.nodes:
        assert node.name.startswith(scopes) or any(value.startswith(scopes) for value in node.outputs)


def test_times_are_those_of_real_runs(runtime: RuntimeProcess) -> None:
    def times(size: int) -> float:
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "x"], ["y"])], "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [size, size])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [size, size])],
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()
        handle = runtime.load(model, isolated=True)
        result = runtime.time(handle, warmup=2, block_ns=5_000_000, min_calls=3, max_calls=1000)
        runtime.unload(handle)
        return float(np.percentile(result, 5))

    assert times(384) > 3 * times(96)  # 64 times the work: generous against noise


def test_block_has_bounds(runtime: RuntimeProcess, network: Network) -> None:
    handle = runtime.load(onnx_io.network_model(network), isolated=False)
    assert len(runtime.time(handle, warmup=0, block_ns=0, min_calls=7, max_calls=100)) == 7
    assert len(runtime.time(handle, warmup=0, block_ns=10**9, min_calls=1, max_calls=4)) == 4
    runtime.unload(handle)


def test_a_refused_model_is_an_error_and_the_child_lives_on(runtime: RuntimeProcess, network: Network) -> None:
    generation = runtime.generation
    with pytest.raises(RuntimeFailure, match=r"^(?!.*\n).+$"):
        runtime.load(b"not a model", isolated=False)
    node = helper.make_node("NoSuchOperator", ["x"], ["y"])
    graph = helper.make_graph([node], "g", *([helper.make_tensor_value_info(n, TensorProto.FLOAT, [1])] for n in "xy"))
    with pytest.raises(RuntimeFailure, match="NoSuchOperator"):
        runtime.executed_graph(
            helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10).SerializeToString()
        )
    assert runtime.executed_graph(onnx_io.network_model(network)).nodes
    assert runtime.generation == generation


def _kill_soon(process: RuntimeProcess, number: int) -> threading.Thread:
    def kill() -> None:
        time.sleep(0.3)
        assert process._child is not None
        os.kill(process._child.pid, number)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def test_a_crash_of_the_native_library_is_an_error_and_a_new_child_follows(network: Network) -> None:
    with RuntimeProcess() as process:
        handle = process.load(onnx_io.network_model(network), isolated=False)
        thread = _kill_soon(process, signal.SIGSEGV)
        with pytest.raises(RuntimeCrash, match="SIGSEGV"):
            process.time(handle, warmup=0, block_ns=60 * 10**9, min_calls=1, max_calls=10**9)
        thread.join()
        assert process.fingerprint()["name"] == "onnxruntime"
        assert process.generation == 1


def test_a_hang_is_ended(network: Network) -> None:
    with RuntimeProcess(timeout_s=1.0) as process:
        handle = process.load(onnx_io.network_model(network), isolated=False)
        thread = _kill_soon(process, signal.SIGSTOP)
        with pytest.raises(RuntimeCrash, match="hung"):
            process.time(handle, warmup=0, block_ns=60 * 10**9, min_calls=1, max_calls=10**9)
        thread.join()


def test_no_child_outlives_its_handle(network: Network) -> None:
    with lowering() as lower:
        assert lower(network).nodes
    process = RuntimeProcess()
    process.fingerprint()
    child: Any = process._child
    process.close()
    assert child.poll() is not None


def test_unknown_runtime() -> None:
    with RuntimeProcess("no-such-runtime") as process, pytest.raises(DeviceError, match="no-such-runtime"):
        process.fingerprint()


def test_nodes_that_the_runtime_puts_in_the_place_of_another_have_shapes_and_names(runtime: RuntimeProcess) -> None:
    builder = NetworkBuilder("tokens", {"input": Tensor((1, 5, 8))})
    x = builder.activation("second", builder.activation("first", "input", "HardSwish"), "HardSwish")
    executed = runtime.executed_graph(network_model(builder.build(x)))
    assert [op.kind for op in executed.operators] == ["HardSigmoid", "Mul"] * 2
    assert {op.outputs[0].shape for op in executed.operators} == {(1, 5, 8)}
    assert len({node.name for node in executed.nodes}) == 4
    told, times = runtime.node_times(network_model(builder.build(x)), 2)
    assert {name: len(values) for name, values in times.items()} == {node.name: 2 for node in told.nodes}
    assert sorted(op.key for op in told.operators) == sorted(op.key for op in executed.operators)
