from __future__ import annotations

import pytest

from device_profiles.builder import NetworkBuilder
from device_profiles.errors import DeviceError
from device_profiles.operators import Network, Tensor
from device_profiles.runtimes.fused import Kernel, fused_network, without_passes


def source() -> Network:
    """conv, relu, dropout, conv, add with what the relu made."""
    net = NetworkBuilder("net", {"x": Tensor((1, 4, 6, 6))})
    a = net.activation("relu", net.conv("first", "x", 8, 3))
    b = net.conv("second", net.activation("drop", a, "Dropout"), 8, 3)
    return net.build(net.add("add", a, b))


def kernel(layers: str, *sources: int, layout: str = "acdb", kind: str = "K") -> Kernel:
    return Kernel(kind, tuple(filter(None, layers.split())), tuple((s, 0) for s in sources), (layout,))


def keys(network: Network) -> list[tuple[str, str]]:
    return [(node.operator.kind, str(node.operator.attribute("layouts"))) for node in network.nodes]


def test_layers_that_ran_together_become_one_node() -> None:
    kernels = [kernel("x", layout="abcd"), kernel("", 0, kind="Reorder"), kernel("first relu", 1), kernel("second add", 2, 2)]
    executed = fused_network(source(), kernels, "openvino")
    assert keys(executed) == [("openvino.Conv", "abcd->acdb"), ("openvino.Conv", "acdb->acdb")]  # read twice, one input
    assert executed.macs == source().macs
    assert executed.params == source().params
    assert [node.outputs for node in executed.nodes] == [("relu.out",), ("add.out",)]


def test_a_change_of_layout_belongs_to_its_first_reader() -> None:
    kernels = [
        kernel("x"), kernel("first relu", 0, layout="abcd"), kernel("", 1, kind="Reorder"), kernel("second", 2), kernel("add", 2, 3),
    ]  # fmt: skip
    executed = fused_network(source(), kernels, "openvino")
    assert keys(executed)[1:] == [("openvino.Conv", "abcd->acdb"), ("openvino.Add", "acdb,acdb->acdb")]


def test_a_node_that_no_kernel_names_goes_with_what_reads_it() -> None:
    kernels = [kernel("x"), kernel("relu", 0), kernel("add", 1, 1)]
    executed = fused_network(source(), kernels, "openvino")
    assert [node.name for node in executed.nodes] == ["relu", "add"]
    assert executed.macs == source().macs


def test_a_node_whose_reader_no_kernel_names_either_goes_with_what_it_reads() -> None:
    net = NetworkBuilder("net", {"x": Tensor((1, 4, 6, 6))})
    result = net.build(net.activation("last", net.activation("middle", net.conv("first", "x", 8, 3), "Tanh"), "Sigmoid"))
    executed = fused_network(result, [kernel("x"), kernel("first", 0)], "openvino")
    assert [node.outputs for node in executed.nodes] == [("last.out",)]
    assert executed.macs == result.macs


def test_layers_named_by_their_result_or_by_what_was_left_out() -> None:
    kernels = [kernel("x"), kernel("first relu.out", 0), kernel("drop second", 1), kernel("add_add.out", 1, 2)]
    executed = fused_network(source(), kernels, "openvino")
    assert len(executed.nodes) == 2  # the dropout ties the kernels of relu and second together
    assert executed.macs == source().macs


def test_kernels_that_need_each_other_are_refused() -> None:
    kernels = [kernel("x"), kernel("first add", 0), kernel("relu second", 1)]
    with pytest.raises(DeviceError, match="cannot be told apart"):
        fused_network(source(), kernels, "openvino")


def test_dropout_goes_unless_it_is_a_result() -> None:
    assert "Dropout" not in [op.kind for op in without_passes(source()).operators]
    net = NetworkBuilder("net", {"x": Tensor((1, 4))})
    result = net.build(net.activation("drop", "x", "Dropout"))
    assert [op.kind for op in without_passes(result).operators] == ["Dropout"]
