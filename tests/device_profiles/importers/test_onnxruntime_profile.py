from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_profiles import onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.errors import InputError
from device_profiles.importers.onnxruntime_profile import read_onnxruntime_profile
from device_profiles.operators import Tensor
from device_profiles.profile import DeviceProfile

RUNS = 8


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What onnxruntime itself writes."""
    net = NetworkBuilder("n", {"x": Tensor((1, 8, 16, 16))})
    x = "x"
    for i in range(3):
        x = net.conv(f"c{i}", x, 8, 3)
    model = onnx_io.network_model(net.build(net.linear("fc", net.flatten("f", net.global_pool("p", x)), 10)))
    options = onnxruntime.SessionOptions()
    options.enable_profiling, options.intra_op_num_threads = True, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.profile_file_prefix = str(tmp_path_factory.mktemp("profile") / "p")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    for _ in range(RUNS):
        session.run(None, {"x": np.zeros((1, 8, 16, 16), np.float32)})
    return Path(session.end_profiling())


def test_operators_with_counts_and_spread(recorded: Path, tmp_path: Path) -> None:
    profile = read_onnxruntime_profile(recorded, device="Pixel 4", threads=1)
    assert profile.device_name == "pixel-4/onnxruntime/1t"
    assert profile.header["runtime"]["provider"] == "CPUExecutionProvider"
    by_kind = {m.operator.kind: (m, line) for m, line in zip(profile.operators(), profile.lines, strict=True)}
    assert set(by_kind) == {"Conv", "GlobalAveragePool", "Flatten", "Gemm"}
    conv, line = by_kind["Conv"]
    assert (line["count"], line["in_context"]) == (3, True)
    assert len(conv.samples_ms) == 3 * (RUNS - 1)  # the first run is a warm-up
    weights = [t for t in conv.operator.inputs if t is not None and t.constant]
    assert [t.shape for t in weights] == [(8, 8, 3, 3), (8,)]
    assert conv.operator.macs == 16 * 16 * 8 * 8 * 9
    for m in profile.operators():
        assert m.latency_ms.origin == "published"
        assert 0 < m.latency_ms.low <= m.latency_ms.value <= m.latency_ms.high
        assert "in context" in m.warnings[0]
    path = tmp_path / "p.jsonl"
    profile.write(path)
    again = DeviceProfile.read(path)
    assert (again.header, again.lines) == (profile.header, profile.lines)
    with pytest.raises(InputError, match="already"):
        profile.write(path)


def test_nothing_published_is_taken_for_measured(recorded: Path) -> None:
    with pytest.raises(InputError, match="published, not measured"):
        read_onnxruntime_profile(recorded, device="Pixel 4", threads=1).refuse_functional()


def event(**changes: Any) -> dict[str, Any]:
    args = {"op_name": "Relu", "provider": "P", "input_type_shape": [{"float": [1, 4]}], "output_type_shape": [{"float": [1, 4]}]}
    return {"cat": "Node", "name": "r_kernel_time", "dur": 5, "args": {**args, **changes.pop("args", {})}, **changes}


def test_a_kernel_below_the_resolution_took_some_time(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps([event(dur=0), event(dur=0)]))
    (m,) = read_onnxruntime_profile(path, device="d", threads=1).operators()
    assert m.latency_ms.value == 0.0005


WRONG: dict[str, Callable[[], Any]] = {
    "no list": lambda: {"cat": "Node"},
    "no events": list,
    "no objects": lambda: [1, 2],
    "no kernels": lambda: [{"cat": "Session", "name": "model_run"}],
    "no duration": lambda: [{k: v for k, v in event().items() if k != "dur"}],
    "negative": lambda: [event(dur=-1)],
    "huge": lambda: [event(dur=10**400)],
    "a text": lambda: [event(dur="5")],
    "a fraction": lambda: [event(dur=1.5)],
    "negative shape": lambda: [event(args={"input_type_shape": [{"float": [1, -4]}]})],
    "huge shape": lambda: [event(args={"input_type_shape": [{"float": [2**40, 2**40]}]})],
    "odd shape": lambda: [event(args={"input_type_shape": [{"float": [1], "double": [2]}]})],
    "odd parameters": lambda: [event(args={"parameter_size": "many"})],
    "args a list": lambda: [{**event(), "args": []}],
}


@pytest.mark.parametrize("name", WRONG)
def test_other_layouts_are_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(WRONG[name]()))
    with pytest.raises(InputError, match=r"p\.json: not a profile of onnxruntime") as caught:
        read_onnxruntime_profile(path, device="d", threads=1)
    assert "\n" not in str(caught.value)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_files_give_one_line_or_numbers_that_can_be(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(json.dumps([event(), event(dur=7), event(name="s_kernel_time")]).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "p.json"
    path.write_bytes(content)
    try:
        profile = read_onnxruntime_profile(path, device="d", threads=1)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert all(m.latency_ms.value > 0 for m in profile.operators())
