from __future__ import annotations

import logging

import numpy as np
import onnx
import pytest

from device_profiles import onnx_io
from device_profiles.builder import NetworkBuilder
from device_profiles.errors import DeviceError
from device_profiles.graphs.weights import fill_weights
from device_profiles.operators import Tensor
from hwnas.export.int8 import Scheme, quantised
from hwnas.export.scores import Pixels, logits


@pytest.fixture(scope="module")
def model() -> bytes:
    net = NetworkBuilder("small", {"input": Tensor((1, 3, 12, 12))})
    x = net.activation("relu", net.conv("conv", "input", 8, 3))
    x = net.add("add", x, net.activation("inner/relu", net.conv("inner", x, 8, 3, 1, 8)))
    built = net.build(net.linear("head", net.flatten("flatten", net.global_pool("pool", x)), 4))
    found = onnx.load_from_string(fill_weights(onnx_io.network_model(built)))
    last = found.graph.output[0].name
    for node in found.graph.node:
        for names in (node.input, node.output):
            names[:] = ["logits" if name == last else name for name in names]
    found.graph.output[0].name = "logits"
    return bytes(found.SerializeToString())


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return np.random.default_rng(0).random((40, 3, 12, 12), dtype=np.float32)


@pytest.mark.parametrize(
    ("instructions", "scheme"),
    [
        (["avx2", "avx512f", "avx512_vnni"], Scheme("uint8", "int8", False)),
        (["avx2", "fma"], Scheme("uint8", "int8", True)),
        (["asimd", "asimddp"], Scheme("int8", "int8", False)),
        ([], Scheme("uint8", "int8", True)),
    ],
)
def test_the_scheme_follows_the_processor(instructions: list[str], scheme: Scheme) -> None:
    assert Scheme.for_device(instructions) == scheme


@pytest.mark.parametrize("instructions", [["avx512_vnni"], ["avx2"], ["asimd"]])
def test_integers_compute_nearly_the_same_and_always_the_same(model: bytes, pixels: Pixels, instructions: list[str]) -> None:
    scheme = Scheme.for_device(instructions)
    first, again = (quantised(model, pixels, scheme).SerializeToString(deterministic=True) for _ in range(2))
    assert first == again
    plain, integers = logits(model, pixels), logits(first, pixels)
    assert np.abs(plain - integers).max() < 0.1 * np.ptp(plain) + 0.02
    assert not np.array_equal(plain, integers)


def test_weights_have_a_scale_per_channel(model: bytes, pixels: Pixels) -> None:
    found = quantised(model, pixels, Scheme())
    scales = {c.name: onnx.numpy_helper.to_array(c) for c in found.graph.initializer if c.name.endswith("_scale")}
    assert sum(scale.shape == (8,) for scale in scales.values()) >= 2


def test_it_says_nothing_and_leaves_the_log_as_it_was(model: bytes, pixels: Pixels, capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = list(root.handlers), root.level, logging.root.manager.disable
    quantised(model, pixels, Scheme())
    assert capfd.readouterr() == ("", "")
    assert (list(root.handlers), root.level, logging.root.manager.disable) == before


def test_what_cannot_be_quantised_is_one_line(model: bytes, pixels: Pixels) -> None:
    with pytest.raises(DeviceError, match="onnxruntime cannot quantise this network") as error:
        quantised(model, pixels[:, :1], Scheme())
    assert "\n" not in str(error.value)
