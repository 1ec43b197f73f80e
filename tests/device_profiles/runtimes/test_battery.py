"""What every runtime must do. A new one is in `RUNTIMES`, and these tests run on it by themselves."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from device_profiles import onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.errors import DeviceError, InputError
from device_profiles.operators import Network, Operator, Tensor
from device_profiles.profile import DeviceProfile
from device_profiles.protocol import Protocol
from device_profiles.runtimes import RUNTIMES, RuntimeCrash, RuntimeFailure, RuntimeProcess
from device_profiles.runtimes.catalogue import WHOLE_ONLY
from hwnas import profiling
from predictors import NetworkPredictor

#: What a runtime says that cannot run here because something is not installed or not there.
ABSENT = ("is not installed", "no CUDA")


def small(batch: int = 1) -> Network:
    """Convolutions with and without a residual, depth-wise too, pooling and a classifier."""
    net = NetworkBuilder("small", {"input": Tensor((batch, 3, 16, 16))})
    x = net.activation("stem/relu", net.conv("stem/conv", "input", 16, 3, 2))
    y = net.activation("block/relu", net.conv("block/depthwise", x, 16, 3, groups=16))
    x = net.add("block/add", x, net.conv("block/conv", y, 16, 1))
    x = net.flatten("head/flatten", net.global_pool("head/pool", x))
    return net.build(net.linear("head/fc", x, 10))


_absent: dict[str, str] = {}


def start(name: str, threads: int = 1) -> RuntimeProcess:
    if name in _absent:
        pytest.skip(_absent[name])
    process = RuntimeProcess(name, threads)
    try:
        process.fingerprint()
    except DeviceError as error:
        process.close()
        if any(reason in str(error) for reason in ABSENT):
            _absent[name] = str(error)
            pytest.skip(str(error))
        raise
    return process


@pytest.fixture(scope="module", params=sorted(RUNTIMES))
def process(request: pytest.FixtureRequest) -> Iterator[RuntimeProcess]:
    with start(request.param) as running:
        yield running


def executed(process: RuntimeProcess, network: Network) -> Network:
    if process.runtime in WHOLE_ONLY:
        pytest.skip(f"{process.runtime} measures whole networks only")
    return process.executed_graph(onnx_io.network_model(network))


def test_fingerprint_says_what_decides_the_speed(process: RuntimeProcess) -> None:
    fingerprint = process.fingerprint()
    assert fingerprint["name"] == process.runtime
    assert fingerprint["threads"] == 1
    assert fingerprint["version"]
    assert fingerprint["provider"]


@pytest.mark.parametrize("name", sorted(WHOLE_ONLY))
def test_what_measures_whole_networks_only_tells_them_as_they_are_written(name: str, tmp_path: Path) -> None:
    """From files to a profile: networks and no operators, several of them loaded side by side, and nothing left behind."""
    files = []
    for batch in (1, 2):
        files.append(tmp_path / f"batch{batch}.onnx")
        files[-1].write_bytes(onnx_io.network_model(small(batch)))
    settings = Protocol(block_ms=1.0, min_rounds=3, max_rounds=3, prelude_rounds=3, quiet=0.0)
    with start(name) as process:
        plan = profiling.plan_files(files, process)
        profiling.profile(plan, tmp_path / "p.jsonl", process, settings=settings, meter=None)
        assert process._folder is not None
        compiled = Path(process._folder.name)
        assert any(compiled.iterdir())
    assert not compiled.exists()
    profile = DeviceProfile.read(tmp_path / "p.jsonl")
    assert (len(profile.networks()), profile.operators(), profile.failures()) == (2, [], [])
    assert profile.networks()[0].macs == small().macs
    assert profile.networks()[0].memory_mb is None
    with pytest.raises(InputError, match="whole networks only"):
        NetworkPredictor().fit(profile)


def test_without_a_compiler_the_refusal_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("CXX", "no-such-compiler")
    with (
        RuntimeProcess("torch-compiled") as process,
        pytest.raises(DeviceError, match=r"^(?!.*\n).*needs a C\+\+ compiler.*apt-get install"),
    ):
        process.fingerprint()


def test_executed_graph_is_stable_and_keeps_the_work(process: RuntimeProcess) -> None:
    network = small()
    first, second = executed(process, network), executed(process, network)
    assert [node.operator.key for node in first.nodes] == [node.operator.key for node in second.nodes]
    assert first.macs == network.macs
    assert first.params == network.params
    assert first.peak_activation_bytes > 0
    scopes = ("stem/", "block/", "head/")
    for node in first.nodes:
        if node.operator.macs:
            assert node.name.startswith(scopes) or any(value.startswith(scopes) for value in node.outputs)


def test_inputs_keep_their_names_where_a_node_only_hands_them_on(process: RuntimeProcess) -> None:
    """Otherwise other numbers go in than go into the reference, and its result is called wrong."""
    net = NetworkBuilder("handed_on", {"last": Tensor((1, 8, 6, 6)), "first": Tensor((1, 8, 6, 6))})
    model = onnx_io.network_model(net.build(net.add("sum", net.activation("again", "last", "Identity"), "first")))
    assert len(process.run(process.load(model, isolated=False))) == 1


def test_every_executed_operator_can_be_timed_alone_and_written_down(process: RuntimeProcess) -> None:
    for operator in executed(process, small()).operators:
        again = Operator.from_json(operator.to_json())
        assert again.key == operator.key
        assert again.macs == operator.macs
        handle = process.load(onnx_io.operator_model(again, 3), isolated=True)
        times = process.time(handle, warmup=1, block_ns=100_000, min_calls=3, max_calls=50)
        process.unload(handle)
        assert (times > 0).all()


def test_more_copies_take_more_time(process: RuntimeProcess) -> None:
    # A runtime that finds equal kernels and runs them once would make every operator look cheap.
    heavy = NetworkBuilder("heavy", {"a": Tensor((1, 64, 96, 96)), "b": Tensor((1, 64, 96, 96))})
    heavy.activation("relu", heavy.conv("conv", heavy.add("add", "a", "b"), 64, 3))
    ops = {op.base_kind: op for op in executed(process, heavy.build("relu.out")).operators}
    for kind in ("Add", "Conv"):
        fastest = []
        for copies in (1, 8):
            handle = process.load(onnx_io.operator_model(ops[kind], copies), isolated=True)
            fastest.append(process.time(handle, warmup=2, block_ns=30_000_000, min_calls=5, max_calls=300).min())
            process.unload(handle)
        assert fastest[1] > 3 * fastest[0]


@pytest.mark.parametrize("batch", [1, 4])
def test_whole_networks_agree_with_onnxruntime(process: RuntimeProcess, batch: int) -> None:
    model = onnx_io.network_model(small(batch))
    handle = process.load(model, isolated=False)  # refuses a wrong result by itself
    (output,) = process.run(handle)
    process.unload(handle)
    with RuntimeProcess("onnxruntime", 1) as reference:
        (right,) = reference.run(reference.load(model, isolated=False))
    assert output.shape == (batch, 10)
    assert np.abs(output - right).max() <= 0.1 * np.abs(right).max()
    assert np.abs(right).max() > 0


def test_a_refused_model_is_one_line_and_the_child_lives_on(process: RuntimeProcess) -> None:
    generation = process.generation
    with pytest.raises(RuntimeFailure, match=r"^(?!.*\n).+$"):
        process.load(b"not a model", isolated=False)
    with pytest.raises(RuntimeFailure, match=r"^(?!.*\n).+$"):
        process.executed_graph(b"not a model")
    assert process.fingerprint()["name"] == process.runtime
    assert process.generation == generation


@pytest.mark.parametrize("name", sorted(set(RUNTIMES) - WHOLE_ONLY))
def test_a_killed_child_is_a_crash_and_the_next_request_works(name: str) -> None:
    model = onnx_io.network_model(small())
    with start(name) as process:
        handle = process.load(model, isolated=False)
        child = process._child
        assert child is not None

        def kill() -> None:
            time.sleep(0.2)
            os.kill(child.pid, signal.SIGKILL)

        thread = threading.Thread(target=kill)
        thread.start()
        with pytest.raises(RuntimeCrash, match="SIGKILL"):
            process.time(handle, warmup=0, block_ns=60 * 10**9, min_calls=1, max_calls=10**9)
        thread.join()
        handle = process.load(model, isolated=False)
        assert len(process.time(handle, warmup=0, block_ns=0, min_calls=2, max_calls=2)) == 2
        left = [process._child, process._reference and process._reference._child]
    assert all(child is None or child.poll() is not None for child in left)


def _busy_threads(process: RuntimeProcess, handle: int) -> int:
    """Threads of the child that did a good part of the work of one block."""
    assert process._child is not None
    tasks = Path(f"/proc/{process._child.pid}/task")

    def ticks() -> dict[str, int]:
        fields = {task.name: (task / "stat").read_text().rpartition(")")[2].split() for task in tasks.iterdir()}
        return {name: int(f[11]) + int(f[12]) for name, f in fields.items()}

    before = ticks()
    process.time(handle, warmup=1, block_ns=600_000_000, min_calls=3, max_calls=10**6)
    spent = [after - before.get(name, 0) for name, after in ticks().items()]
    return sum(t >= 0.2 * max(spent) for t in spent)


@pytest.mark.parametrize("name", sorted(n for n in RUNTIMES if "cuda" not in n and n not in WHOLE_ONLY))
def test_threads_are_honoured(name: str) -> None:
    wide = NetworkBuilder("wide", {"x": Tensor((1, 128, 56, 56))})
    model = onnx_io.network_model(wide.build(wide.conv("conv", "x", 128, 3)))
    found = []
    for threads in (1, 2):
        with start(name, threads) as process:
            assert process.fingerprint()["threads"] == threads
            found.append(_busy_threads(process, process.load(model, isolated=False)))
    assert found == [1, min(2, len(os.sched_getaffinity(0)))]
