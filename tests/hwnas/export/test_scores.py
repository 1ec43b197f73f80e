from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from device_profiles.errors import DeviceError
from hwnas.data import Split
from hwnas.export import scores
from hwnas.supernet.resize import resized
from hwnas.torch_tools import to_input


def first_pixels(classes: int = 3, side: int = 2) -> bytes:
    """A model whose logits are its first pixels."""
    make = onnx.helper
    choose = np.eye(side * side, classes, dtype=np.float32)
    weights = make.make_tensor("choose", onnx.TensorProto.FLOAT, choose.shape, choose.ravel())
    graph = make.make_graph(
        [make.make_node("Flatten", ["input"], ["flat"]), make.make_node("MatMul", ["flat", "choose"], ["logits"])], "first",
        [make.make_tensor_value_info("input", onnx.TensorProto.FLOAT, [1, 1, side, side])],
        [make.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [1, classes])], [weights],
    )  # fmt: skip
    return bytes(make.make_model(graph, ir_version=10, opset_imports=[make.make_opsetid("", 18)]).SerializeToString())


@pytest.mark.parametrize("side", [8, 12, 16])
def test_pixels_are_those_that_the_super_network_sees(side: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 2, 12, 12)).astype(np.uint8)
    assert np.abs(scores.pixels_of(images, side) - resized(to_input(images), side).numpy()).max() < 1e-6
    assert scores.pixels_of(images, side).dtype == np.float32
    assert torch.get_num_threads() >= 1


def test_the_difference_is_the_largest_of_all_logits() -> None:
    pixels = np.zeros((3, 1, 2, 2), np.float32)
    expected = np.zeros((3, 3), np.float32)
    expected[2, 1] = -0.25
    assert scores.largest_difference(first_pixels(), pixels, expected) == 0.25
    expected[0, 0] = np.nan
    assert np.isnan(scores.largest_difference(first_pixels(), pixels, expected))
    with pytest.raises(DeviceError, match="onnxruntime cannot run the exported model"):
        scores.largest_difference(b"nonsense", pixels, expected)


def test_images_are_right_when_the_largest_logit_is_their_label() -> None:
    images = np.zeros((3, 1, 2, 2), np.uint8)
    images[0, 0, 0, 0] = images[1, 0, 0, 1] = images[2, 0, 1, 0] = 200
    split = Split(images, np.array([0, 1, 1]))
    assert scores.right(first_pixels(), split, 2).tolist() == [True, True, False]


def test_the_change_is_told_by_the_images_on_which_two_networks_disagree() -> None:
    before = np.array([True] * 90 + [False] * 10)
    same = scores.compared(before, before)
    assert (same.before.value, same.after.value, same.change.value) == (0.9, 0.9, 0.0)
    assert same.change.low < 0 < same.change.high
    assert same.change.high < 0.03, "no disagreement in 100 images leaves little doubt"
    after = before.copy()
    after[:20] = False
    worse = scores.compared(before, after).change
    assert worse.value == pytest.approx(-0.2)
    assert worse.high < -0.1
    independent = scores.share(before)
    assert independent.high - independent.low > same.change.high - same.change.low
