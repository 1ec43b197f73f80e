from __future__ import annotations

import numpy as np

from device_profiles.runtimes.ncnn_param import Layer
from device_profiles.runtimes.ncnn_trace import kernels

RNG = np.random.default_rng(0)
A, B, C = (RNG.standard_normal((1, 4, 5, 5)).astype(np.float32) for _ in range(3))


def values(layers: list[Layer], made: dict[str, np.ndarray], source: dict[str, np.ndarray]) -> list[list[str]]:
    return [kernel["layers"] for kernel in kernels(layers, made, source)]


def test_a_layer_is_the_nodes_whose_values_it_makes() -> None:
    layers = [
        Layer("Input", "in0", (), ("in0",)), Layer("Convolution", "c", ("in0",), ("1",)), Layer("Split", "s", ("1",), ("2", "3")),
        Layer("Sigmoid", "g", ("2",), ("4",)), Layer("BinaryOp", "m", ("3", "4"), ("out0",)),
    ]  # fmt: skip
    made = {"in0": A, "1": B[0], "2": B[0], "3": B[0], "4": C[0], "out0": (B * C)[0]}
    source = {"conv": A + 9, "relu": B, "sigmoid": C * (1 + 1e-6), "mul": B * C}
    assert values(layers, made, source) == [["relu"], ["sigmoid"], ["mul"]]  # conv was fused and is found from the flow of values


def test_equal_values_go_in_order_and_what_is_left_to_the_last() -> None:
    layers = [Layer("Pooling", "p", ("in0",), ("1",)), Layer("ReLU", "r", ("1",), ("2",))]
    made = {"1": A, "2": A}
    assert values(layers, made, {"pool": A, "relu": A, "clip": A}) == [["pool"], ["relu", "clip"]]


def test_a_change_of_shape_without_a_layer_is_left_to_what_reads_it() -> None:
    assert values([Layer("Pooling", "p", ("in0",), ("1",))], {"1": A}, {"pool": A, "flatten": A.reshape(1, -1)}) == [["pool"]]
    layers = [Layer("Pooling", "p", ("in0",), ("1",)), Layer("Reshape", "r", ("1",), ("2",))]
    assert values(layers, {"1": A, "2": A}, {"pool": A, "flatten": A.reshape(1, -1)}) == [["pool"], ["flatten"]]


def test_a_layer_more_than_there_are_values_joins_the_last() -> None:
    layers = [Layer("Pooling", "p", ("in0",), ("1",)), Layer("Reshape", "r", ("1",), ("2",))]
    assert values(layers, {"1": A, "2": A}, {"pool": A}) == [["pool"], ["pool"]]


def test_a_value_that_the_source_does_not_have_is_nobodys() -> None:
    layers = [Layer("BinaryOp", "square", ("in0",), ("1",)), Layer("BinaryOp", "power", ("1",), ("2",))]
    assert values(layers, {"1": A, "2": B}, {"lrn": B}) == [[], ["lrn"]]


def test_one_element_apart_is_another_value() -> None:
    other = A.copy()
    other[0, 2, 3, 1] += 0.5
    assert values([Layer("ReLU", "r", (), ("1",))], {"1": A}, {"x": other}) == [[]]
