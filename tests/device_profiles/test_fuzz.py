"""Hostile and damaged input: one line or the truth, in bounded time and memory; never a traceback, never a wrong number."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from device_profiles import append as appending
from device_profiles import onnx_io
from device_profiles.append import Appender
from device_profiles.errors import DeviceError, InputError
from device_profiles.profile import DeviceProfile
from device_profiles.seal import MAX_LINE, is_sealed, seal, unseal

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


ENERGIES = ("energy_mj", "total_energy_mj", "power_w", "idle_w")


def lines() -> list[dict[str, Any]]:
    quantity = {"value": 1.25, "low": 0.9, "high": 1.5, "origin": "measured"}
    numbers = {"latency_ms": quantity, "median_ms": 1.3, "p95_ms": 1.4, "samples_ms": [[1.0, 1.1, 1.4]] * 3, "warnings": []}
    operator = {"kind": "Clip", "attributes": {"a": [1, 2], "b": "x"}, "inputs": [{"shape": [1, 4]}, None], "outputs": [{"shape": [1, 4]}]}
    device = {"cpu": "Some CPU", "cores": 2}
    header = {"type": "header", "schema": 1, "device": device, "runtime": {"name": "onnxruntime", "threads": 1}, "protocol": {}}
    network = {"name": "n", "operators": [[operator, 2]], "macs": 0, "params": 0, "peak_activation_bytes": 32.0, **numbers}
    return [
        header,
        {"type": "operator", "key": "clip", "status": "ok", "operator": operator, "copies": 4, "floor_ms": 0.001, "drift": 1.0, **numbers},
        {"type": "operator", "key": "bad", "status": "failed", "operator": operator, "error": "crashed: SIGSEGV"},
        {"type": "network", "key": "network/n", "status": "ok", **network},
        {"type": "canary", "key": "canary/conv/0", "samples_ms": [[1, 1, 1]]},
        {
            "type": "energy",
            "key": "energy/clip",
            "of": "clip",
            "status": "ok",
            **dict.fromkeys(ENERGIES, quantity),
            "copies": 1,
            "runs": [],
        },
        {"type": "memory", "key": "memory/network/n", "of": "network/n", "status": "ok", "memory_mb": quantity},
        {"type": "conditions", "key": "conditions/0", "before": ["a sentence"], "during": []},
    ]


WHOLE = b"".join(map(seal, lines()))


def refused_in_one_line(call: Callable[[], object], *words: str) -> str:
    with pytest.raises((InputError, DeviceError)) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 700
    assert all(word in text for word in words), text
    return text


# ------------------------------------------------------------------------------------------------------------ sealed lines


@given(
    st.dictionaries(st.text(max_size=5), st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9), min_size=1)
)
def test_what_was_sealed_is_read_back(line: dict[str, Any]) -> None:
    line.pop("crc32", None)
    line["type"] = "x"
    sealed = seal(line)
    assert sealed.count(b"\n") == 1
    assert unseal(sealed[:-1]) == line
    assert seal(json.loads(sealed)) == sealed  # a line that was read and is written again is the same line
    assert zlib.crc32(sealed[: sealed.rindex(b',"crc32"')]) == int(json.loads(sealed)["crc32"], 16)


@FUZZ
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_any_changed_byte_is_noticed(tmp_path: Path, position: int, change: int) -> None:
    path, content = tmp_path / "p.jsonl", bytearray(WHOLE)
    content[position] ^= change
    path.write_bytes(content)
    if content[-1:] != b"\n":  # the last line looks cut short, as by a kill: the rest is the truth
        assert DeviceProfile.read(path).lines == [unseal(text) for text in WHOLE.split(b"\n")[1:-2]]
    else:
        refused_in_one_line(lambda: DeviceProfile.read(path), "p.jsonl")


@FUZZ
@given(st.data())
def test_bytes_put_in_taken_out_or_changed_never_give_another_number(tmp_path: Path, data: st.DataObject) -> None:
    path, content = tmp_path / "p.jsonl", bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))
    path.write_bytes(content)
    try:
        profile = DeviceProfile.read(path)
    except InputError as error:
        assert "\n" not in str(error)
        return
    known = lines()[1:]
    assert all(line in known for line in profile.lines)


@FUZZ
@given(st.integers(0, len(WHOLE)))
@example(0)
@example(1)
def test_cut_at_any_byte_the_rest_is_the_truth_and_goes_on(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(WHOLE[:cut])
    complete = WHOLE[:cut].count(b"\n")
    with Appender(path) as appender:
        assert len(appender.lines) == complete
        for line in lines()[complete:]:
            appender.append(line)
    assert path.read_bytes() == WHOLE


# --------------------------------------------------------------------------------------------- sealed, but not to be believed

BAD: list[Any] = [float("nan"), float("inf"), -float("inf"), -1.0, 1e300, 10**400, -(10**30), "1", None, [], {}, True, "x" * 50]


def numeric_places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of all numbers in a JSON value."""
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in numeric_places(v, (*path, k))]
    if isinstance(value, list):
        return [p for i, v in enumerate(value) for p in numeric_places(v, (*path, i))]
    return [path] if isinstance(value, int | float) else []


PLACES = [(i, *place) for i, line in enumerate(lines()) for place in numeric_places(line) if "attributes" not in place]


def raw_seal(line: dict[str, Any]) -> bytes:
    """Seals what `seal` refuses: NaN and infinities."""
    text = json.dumps(line, separators=(",", ":")).encode()[:-1]
    return b'%s,"crc32":"%08x"}\n' % (text, zlib.crc32(text))


@FUZZ
@given(st.sampled_from(PLACES), st.sampled_from(BAD))
def test_numbers_that_cannot_be_are_refused_or_harmless(tmp_path: Path, place: tuple[Any, ...], bad: Any) -> None:
    rows = json.loads(json.dumps(lines()))  # nothing shared: one number changes in one place
    target: Any = rows
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = bad
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"".join(map(raw_seal, rows)))
    try:
        profile = DeviceProfile.read(path)
    except InputError as error:
        assert "\n" not in str(error)
        return
    for m in (*profile.operators(), *profile.networks()):
        assert 0 <= m.latency_ms.low <= m.latency_ms.value <= m.latency_ms.high < 1e10
        assert np.isfinite(m.samples_ms).all()
        assert 0 < m.median_ms < 1e10
        for beside in (m.energy_mj, getattr(m, "memory_mb", None)):
            assert beside is None or 0 <= beside.low <= beside.value <= beside.high <= 1e12
        operators = [m.operator] if hasattr(m, "operator") else [op for op, _ in m.operators]
        for op in operators:
            assert op.key
            assert np.isfinite([float(op.macs), op.read_bytes, op.written_bytes]).all()
    assert repr(profile)
    assert profile.device_name
    assert all(q.value > 0 for q in profile.canaries().values())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (WHOLE + WHOLE, "line 9: the header, and only the header"),
        (WHOLE + seal(lines()[1]), "'clip' occurs twice"),
        (seal({**lines()[0], "schema": 2}), "newer"),
        (seal({**lines()[0], "schema": 0}), "no profile schema 0"),
        (seal({**lines()[0], "schema": True}), "newer"),
        (seal({**lines()[0], "schema": "1"}), "newer"),
        (seal({**lines()[0], "device": []}), "lacks 'device'"),
        (seal(lines()[1]), "line 1: the header"),
        (raw_seal(lines()[0])[:-1] + b"\r\n", "line 1: no checksum"),
        (b'{"type":"header","schema":1}\n', "line 1: no checksum"),
        (b"[" * 100_000 + b"\n", "line 1: no checksum"),
        (b"\n\n", "line 1"),
        (b"\0" * 5000 + b"\n", "line 1"),
        (b"", "no complete line"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_that_are_no_profiles(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(content)
    refused_in_one_line(lambda: DeviceProfile.read(path), words)


def sealed_text(text: bytes) -> bytes:
    return b'%s,"crc32":"%08x"}\n' % (text, zlib.crc32(text))


def test_nesting_and_long_lines(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(sealed_text(b'{"type":"header","schema":' + b"[" * 200_000 + b"]" * 200_000))
    refused_in_one_line(lambda: DeviceProfile.read(path), "line 1", "not JSON")
    for depth in range(100, 2000, 100):  # around the limit of the interpreter
        nested_op = b'{"kind":"x","attributes":{"a":' + b"[" * depth + b"]" * depth + b'},"inputs":[],"outputs":[]}'
        line = sealed_text(b'{"type":"network","key":"k","status":"ok","name":"n","operators":[[' + nested_op + b",1]]")
        path.write_bytes(seal(lines()[0]) + line)
        refused_in_one_line(lambda: DeviceProfile.read(path), "line 2")
    path.write_bytes(sealed_text(b'{"type":"header","schema":' + b"9" * 100_000))
    refused_in_one_line(lambda: DeviceProfile.read(path), "line 1", "not JSON")
    path.write_bytes(sealed_text(b'{"type":"header","note":"' + b"x" * MAX_LINE + b'"'))
    refused_in_one_line(lambda: DeviceProfile.read(path), "line 1", "is no measurement")


@pytest.mark.parametrize("content", [b"", b"not gzip", b"\x1f\x8b\x08\x00" + b"\0" * 6, b"\x1f\x8b\x08\x00" + b"\xff" * 60])
def test_damaged_packed_profiles(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p.jsonl.gz"
    path.write_bytes(content)
    refused_in_one_line(lambda: DeviceProfile.read(path), "p.jsonl.gz")


# ------------------------------------------------------------------------------------------------------ appending to a file


@pytest.mark.parametrize(
    "content", [b"# Notes\n\nmy only copy\n", b'{\n"type": "hwnas-device"\n}\n', b"no newline", b'{"type":"header"}\n']
)
def test_a_file_of_something_else_is_never_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_bytes(content)
    refused_in_one_line(lambda: Appender(path), "choose another name")
    assert path.read_bytes() == content


def test_a_damaged_line_in_the_middle_is_named_and_kept(tmp_path: Path) -> None:
    path, content = tmp_path / "p.jsonl", bytearray(WHOLE)
    content[WHOLE.index(b"1.25")] = ord("7")
    path.write_bytes(content)
    refused_in_one_line(lambda: Appender(path), "line 2")
    assert path.read_bytes() == content


def test_what_a_loss_of_power_left_at_the_end_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(WHOLE + b"\0" * 900 + b"\n" + b"\0" * 90)
    with Appender(path) as appender:
        assert len(appender.lines) == len(lines())
    assert path.read_bytes() == WHOLE


def test_no_file_and_no_folder_to_write_to(tmp_path: Path) -> None:
    refused_in_one_line(lambda: Appender(tmp_path), "cannot be written")
    os.mkfifo(tmp_path / "pipe")
    refused_in_one_line(lambda: Appender(tmp_path / "pipe"), "choose another name")
    folder = Path("/sys/kernel")  # read-only even for root
    if not folder.is_dir():
        pytest.skip("no /sys here")
    refused_in_one_line(lambda: Appender(folder / "p.jsonl"), "cannot be written")


FULL = """
import resource, signal, sys
from pathlib import Path
from device_profiles.append import Appender
from device_profiles.errors import DeviceError
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
with Appender(Path(sys.argv[1])) as appender:
    for index in range(1000):
        try:
            appender.append({"key": f"k{index}", "ms": [index] * (index % 7)})
        except DeviceError as error:
            print(index, error)
            break
"""


def test_a_full_disk_loses_nothing_and_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True)
    count, message = done.stdout.split(" ", 1)
    assert "nothing already measured is lost" in message
    kept = path.read_bytes().split(b"\n")
    assert kept.pop() == b""
    assert len(kept) == int(count) > 10
    assert all(map(is_sealed, kept))


def test_no_space_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Appender(tmp_path / "p.jsonl") as appender:
        monkeypatch.setattr(appending.os, "write", refuse)
        refused_in_one_line(lambda: appender.append({"key": "k"}), "No space left on device")


def test_two_writers(tmp_path: Path) -> None:
    with Appender(tmp_path / "p.jsonl"):
        refused_in_one_line(lambda: Appender(tmp_path / "p.jsonl"), "another process")
    with Appender(tmp_path / "p.jsonl"):
        pass


def test_durations_never_come_from_the_clock_on_the_wall() -> None:
    folder = Path(appending.__file__).parent
    for file in [*(folder / name for name in ("campaign.py", "protocol.py", "check.py", "drift.py")), *(folder / "runtimes").glob("*.py")]:
        assert not re.search(r"\btime\.time(_ns)?\(\)", file.read_text(encoding="utf-8")), f"{file.name}: use time.monotonic"


# --------------------------------------------------------------------------------------------------------------- ONNX files


def model(*nodes: Any, x: list[int], weights: tuple[TensorProto, ...] = ()) -> bytes:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", x), ("y", None))]
    graph = helper.make_graph(list(nodes), "g", values[:1], values[1:], list(weights))
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString())


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


HEAD, OPSET = varint(8) + varint(10), field(8, field(1, b"") + varint(16) + varint(18))


def nested(depth: int) -> bytes:
    graph = field(1, field(1, b"x") + field(2, b"y") + field(4, b"Relu"))
    for _ in range(depth):
        branch = field(1, b"then_branch") + field(6, graph) + varint(20 << 3) + varint(5)
        graph = field(1, field(1, b"c") + field(2, b"y") + field(4, b"If") + field(5, branch))
    return HEAD + field(7, graph) + OPSET


def constant(values: list[int]) -> TensorProto:
    return numpy_helper.from_array(np.array(values, dtype=np.int64), "s")


def weight(*dims: int, external: str = "") -> TensorProto:
    tensor = TensorProto(name="s", data_type=TensorProto.FLOAT, dims=dims)
    if external:
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=external)
    return tensor


def op(kind: str, *inputs: str, **attributes: Any) -> Any:
    return helper.make_node(kind, list(inputs), ["y"], **attributes)


def recursive_function() -> bytes:
    inner = helper.make_node("F", ["a"], ["b"], domain="d")
    function = helper.make_function("d", "F", ["a"], ["b"], [inner], [helper.make_opsetid("d", 1)])
    proto = onnx.load_from_string(model(helper.make_node("F", ["x"], ["y"], domain="d"), x=[1]))
    proto.functions.append(function)
    proto.opset_import.append(helper.make_opsetid("d", 1))
    return bytes(proto.SerializeToString())


SMALL_NODE = field(1, field(1, b"x") + field(2, b"x") + field(4, b"Relu"))
HOSTILE: dict[str, Callable[[], bytes]] = {
    "input of 10^27 values": lambda: model(op("Relu", "x"), x=[10**9] * 3),
    "input whose size overflows": lambda: model(op("Relu", "x"), x=[2**62, 4]),
    "weight of 10^18 values": lambda: model(op("Add", "x", "s"), x=[1], weights=(weight(10**9, 10**9),)),
    "weight whose size overflows to 0": lambda: model(op("Add", "x", "s"), x=[1], weights=(weight(2**32, 2**32),)),
    "weight of negative size": lambda: model(op("Add", "x", "s"), x=[1], weights=(weight(-5, 3),)),
    "output of 10^24 values": lambda: model(op("Expand", "x", "s"), x=[1], weights=(constant([2**40, 2**40]),)),
    "filled with a huge shape": lambda: model(op("ConstantOfShape", "s"), x=[4], weights=(constant([2**31, 2**20]),)),
    "tiled beyond 64 bits": lambda: model(op("Tile", "x", "s"), x=[4], weights=(constant([2**61]),)),
    "20,000 dimensions": lambda: model(op("Relu", "x"), x=[2] * 20_000),
    "strides of 0": lambda: model(op("Conv", "x", "s", strides=[0, 0]), x=[1, 3, 8, 8], weights=(weight(4, 3, 3, 3),)),
    "shape in another file": lambda: model(op("Reshape", "x", "s"), x=[4], weights=(weight(1, external="../../etc/passwd"),)),
    "2,000 nested graphs": lambda: nested(2000),
    "25 nested graphs": lambda: nested(25),
    "a function that calls itself": recursive_function,
    "a node that reads itself": lambda: model(helper.make_node("Relu", ["y"], ["y"]), x=[1]),
    "a million nodes": lambda: HEAD + field(7, SMALL_NODE * 1_000_000) + OPSET,
    "a million empty fields": lambda: HEAD + field(7, field(5, b"") * 1_100_000) + OPSET,
    "a length of 2^63": lambda: HEAD + varint(7 << 3 | 2) + varint(2**63) + b"x",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_models_are_refused_in_bounded_time_and_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.onnx"
    path.write_bytes(HOSTILE[name]())
    script = (
        "import sys\nfrom device_profiles import onnx_io\nfrom device_profiles.errors import InputError\n"
        "try:\n    onnx_io.read_network(sys.argv[1])\nexcept InputError as error:\n    print(error)\nelse:\n    print('ACCEPTED')\n"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))

    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, preexec_fn=limit, cwd="/")
    assert done.returncode == 0, done.stderr[-500:]
    assert "hostile.onnx: " in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert len(done.stdout) < 600


def test_weights_in_another_file_are_never_opened(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\0" * 16)
    path = tmp_path / "models" / "m.onnx"
    path.parent.mkdir()
    path.write_bytes(model(op("Add", "x", "s"), x=[4], weights=(weight(4, external="../secret"),)))
    opened: list[str] = []
    sys.addaudithook(lambda event, details: opened.append(str(details[0])) if event == "open" else None)
    network = onnx_io.read_network(path)
    assert network.params == 4
    assert not any("secret" in name for name in opened)


BASE = model(
    op("Conv", "x", "s", pads=[1, 1, 1, 1], group=1),
    x=[1, 3, 8, 8],
    weights=(numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "s"),),
)


@FUZZ
@given(st.data())
def test_damaged_models_give_one_line_or_a_network_that_can_be_priced(data: st.DataObject) -> None:
    content = bytearray(BASE)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=12))
    try:
        network = onnx_io.read_network(bytes(content))
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert 0 <= float(network.macs) < 1e30
    assert 0 <= network.peak_activation_bytes < 1e18
    assert all(operator.key for operator in network.operators)
