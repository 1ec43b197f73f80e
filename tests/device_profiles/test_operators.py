from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_profiles.builder import NetworkBuilder
from device_profiles.errors import InputError
from device_profiles.operators import Network, Node, Operator, Tensor

shapes = st.lists(st.integers(0, 300), max_size=5).map(tuple)
tensors = st.builds(Tensor, shapes, st.sampled_from(["float32", "int8", "int64", "float16"]), st.booleans())
values = st.one_of(
    st.integers(-5, 300), st.floats(-1, 1), st.text(max_size=5), st.lists(st.integers(0, 9), min_size=1, max_size=4).map(tuple)
)
operators = st.builds(
    Operator,
    st.sampled_from(["Conv", "nchwc.Conv", "Add", "Weird"]),
    st.lists(st.one_of(st.none(), tensors), max_size=4).map(tuple),
    st.lists(tensors, max_size=2).map(tuple),
    st.dictionaries(st.text(min_size=1, max_size=5), values, max_size=3).map(lambda d: tuple(sorted(d.items()))),
)


def conv(c_in: int, c_out: int, kernel: tuple[int, int], size: int, groups: int = 1) -> Operator:
    weight = Tensor((c_out, c_in // groups, *kernel), constant=True)
    return Operator("Conv", (Tensor((1, c_in, size, size)), weight), (Tensor((1, c_out, size, size)),))


@given(operators)
def test_json_round_trip_keeps_operator_and_key(operator: Operator) -> None:
    again = Operator.from_json(json.loads(json.dumps(operator.to_json())))
    assert again == operator
    assert again.key == operator.key


def test_numbers_that_are_not_finite_survive_json() -> None:
    """Masks hold -inf, and open clips +inf; JSON knows neither."""
    bound = Tensor((), constant=True, values=(-math.inf,))
    operator = Operator("Max", (Tensor((1, 8)), bound), (Tensor((1, 8)),), (("limits", (0.5, math.inf)), ("most", math.inf)))
    assert Operator.from_json(json.loads(json.dumps(operator.to_json(), allow_nan=False))) == operator


def test_key_tells_apart_what_costs_differently() -> None:
    base = conv(32, 32, (3, 3), 8)
    others = [
        conv(32, 32, (1, 9), 8),
        conv(32, 32, (9, 1), 8),
        conv(32, 32, (3, 3), 8, 32),
        conv(32, 32, (3, 3), 9),
        conv(16, 32, (3, 3), 8),
    ]
    half = Operator("Conv", tuple(Tensor(t.shape, "float16", t.constant) for t in base.inputs if t), base.outputs)
    batch = Operator("Conv", (Tensor((2, 32, 8, 8)), base.inputs[1]), (Tensor((2, 32, 8, 8)),))
    assert len({op.key for op in (base, half, batch, *others)}) == 8


def test_macs_of_hand_computed_cases() -> None:
    assert conv(32, 64, (3, 3), 8).macs == 64 * 8 * 8 * 32 * 9
    assert conv(32, 32, (5, 3), 8, 32).macs == 32 * 8 * 8 * 15
    a, b = Tensor((4, 7)), Tensor((9, 7), constant=True)
    assert Operator("Gemm", (a, b), (Tensor((4, 9)),), (("transB", 1),)).macs == 4 * 9 * 7
    assert Operator("MatMul", (Tensor((2, 3, 5, 7)), Tensor((2, 3, 7, 11))), (Tensor((2, 3, 5, 11)),)).macs == 2 * 3 * 5 * 7 * 11
    transposed = Operator("ConvTranspose", (Tensor((1, 8, 4, 4)), Tensor((8, 3, 2, 2), constant=True)), (Tensor((1, 3, 8, 8)),))
    assert transposed.macs == 8 * 16 * 3 * 4
    weights = (Tensor((2, 4 * 5, 3), constant=True), Tensor((2, 4 * 5, 5), constant=True))  # two directions of four gates, 3 -> 5
    recurrent = Operator("LSTM", (Tensor((7, 6, 3)), *weights), (Tensor((7, 2, 6, 5)),))
    assert recurrent.macs == 7 * 6 * 2 * 4 * 5 * (3 + 5)
    assert Operator("Add", (a, a), (a,)).macs == 0


def test_bytes_follow_the_type() -> None:
    operator = Operator("Add", (Tensor((10,), "int8"), Tensor((10,), "float16")), (Tensor((10,), "float64"),))
    assert (operator.read_bytes, operator.written_bytes) == (30, 80)


def test_peak_activation_memory_by_hand() -> None:
    # x (100) -> a (200) -> b (300) ; c = a + b kept alive: a is read again after b was made
    def node(name: str, inputs: tuple[str, ...], sizes: dict[str, int]) -> Node:
        tensors = tuple(Tensor((sizes[i] // 4,)) for i in inputs)
        return Node(Operator("Op", tensors, (Tensor((sizes[name] // 4,)),)), name, inputs, (name,))

    sizes = {"x": 100, "a": 200, "b": 300, "c": 40}
    net = Network((node("a", ("x",), sizes), node("b", ("a",), sizes), node("c", ("a", "b"), sizes)), {"x": Tensor((25,))}, ("c",))
    assert net.peak_activation_bytes == 200 + 300 + 40


def test_shared_weight_counts_once() -> None:
    weight = Tensor((4, 4), constant=True)
    matmul = Operator("MatMul", (Tensor((1, 4)), weight), (Tensor((1, 4)),))
    net = Network((Node(matmul, "a", ("x", "w"), ("y",)), Node(matmul, "b", ("y", "w"), ("z",))), {"x": Tensor((1, 4))}, ("z",))
    assert (net.params, net.weight_bytes, net.macs) == (16, 64, 32)
    assert net.counts() == [(matmul, 2)]


def test_builder_shapes() -> None:
    net = NetworkBuilder("n", {"x": Tensor((1, 3, 15, 15))})
    x = net.conv("c", "x", 8, 5, 2)
    assert net.values[x].shape == (1, 8, 8, 8)
    assert math.prod(net.values[net.flatten("f", x)].shape) == 512


def test_not_an_operator() -> None:
    with pytest.raises(InputError, match="not an operator"):
        Operator.from_json({"kind": "Conv"})
