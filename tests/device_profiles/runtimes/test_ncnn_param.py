from __future__ import annotations

import pytest

from device_profiles.errors import DeviceError
from device_profiles.runtimes.ncnn_param import Layer, gathered, pruned, read_layers, write_layers

TEXT = """7767517
6 8
Input in0 0 1 in0
Split split 1 3 in0 1 2 3
ReLU relu 1 1 1 out0 0=0.1
Sigmoid sigmoid 1 1 2 out1
Pooling mark 1 1 3 4 0=0 4=1
Reshape end 1 1 4 out2 6="1,1,//(4,0n),0n"
"""


def test_written_layers_are_read_again() -> None:
    layers = read_layers(TEXT)
    assert layers[2] == Layer("ReLU", "relu", ("1",), ("out0",), "0=0.1")
    assert read_layers(write_layers(layers)) == layers
    assert write_layers(layers) == TEXT


def test_what_no_result_needs_goes() -> None:
    left = pruned(read_layers(TEXT), ["out0", "out1"])
    assert [layer.name for layer in left] == ["in0", "split", "relu", "sigmoid"]
    assert left[1].tops == ("1", "2")


def test_a_split_for_one_reader_goes() -> None:
    left = pruned(read_layers(TEXT), ["out1"])
    assert left == (Layer("Input", "in0", (), ("in0",)), Layer("Sigmoid", "sigmoid", ("in0",), ("out1",)))


def test_one_layer_reads_all_results() -> None:
    assert gathered(read_layers(TEXT), ["out0", "out1"], "all")[-1] == Layer("Noop", "all", ("out0", "out1"), ("all",))


@pytest.mark.parametrize("text", ["", "7767517\n1 1\n", TEXT.replace("7767517", "1"), TEXT + "ReLU\n", TEXT + "ReLU a b c d\n"])
def test_no_network_is_one_line(text: str) -> None:
    with pytest.raises(DeviceError, match=r"^pnnx wrote (?!.*\n).+$"):
        read_layers(text)
