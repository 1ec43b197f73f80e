from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from device_profiles.errors import InputError
from device_profiles.operators import Network, Node, Operator, Tensor
from device_profiles.runtimes import lowering
from predictors.assign import assign, part_of

T = Tensor((1, 4))
OP, WEIGHTED = Operator("Relu", (T,), (T,)), Operator("Gemm", (T, Tensor((4, 4), constant=True)), (T,))


def network(*nodes: Node) -> Network:
    return Network(nodes, {"input": T}, (nodes[-1].outputs[0],))


def test_by_output_then_by_name_then_by_weight() -> None:
    net = network(
        Node(OP, "b/relu", ("input",), ("a/relu.out",)),
        Node(OP, "b/relu.out_nchwc", ("a/relu.out",), ("token1",)),
        Node(WEIGHTED, "fused", ("token1", "c/fc.weight"), ("token2",)),
    )
    assert assign(net, ["a", "b", "c"]) == ["a", "b", "c"]


def test_an_inserted_node_belongs_to_its_producer_or_else_to_its_consumer() -> None:
    net = network(
        Node(OP, "ReorderInput", ("input",), ("t0",)),
        Node(OP, "a/relu", ("t0",), ("t1",)),
        Node(OP, "ReorderOutput", ("t1",), ("t2",)),
        Node(OP, "Transpose", ("t2",), ("t3",)),
        Node(OP, "b/relu", ("t3",), ("t4",)),
    )
    assert assign(net, ["a", "b"]) == ["a", "a", "a", "a", "b"]


def test_a_node_that_nothing_tells_about_is_an_error_not_a_gift() -> None:
    with pytest.raises(InputError, match=r"'lonely' \(Relu\) belongs to no part"):
        assign(network(Node(OP, "lonely", ("input",), ("out",))), ["a"])


def test_names_end_at_a_slash() -> None:
    parts = {"stage1.block1", "stage1.block10", "a/b"}
    assert part_of("stage1.block10/conv.out", parts) == "stage1.block10"
    assert part_of("stage1.block1/conv/deep.out", parts) == "stage1.block1"
    assert part_of("a/b/c", parts) == "a/b"
    assert part_of("stage1.block1", parts) is None
    assert part_of("/x", parts) is None


def test_what_onnxruntime_really_runs(space: SimpleNamespace) -> None:
    """Every executed node of real architectures finds its part: three convolutions per block, and everything else in the head."""
    with lowering() as lower:
        for arch in (space.smallest()[0], space.largest()[0], *space.sample(3, np.random.default_rng(0))):
            executed = lower(space.network(arch))
            found = Counter(assign(executed, [part.name for part in space.parts]))
            assert found.pop("stem") == 1
            assert found.pop("head") == 5  # convolution, pool, reorder, flatten, classifier
            assert set(found.values()) == {3}
            assert len(found) == len(space.blocks(arch))


def test_a_change_of_layout_belongs_to_the_part_that_reads_it() -> None:
    tensor = Tensor((1, 8, 4, 4))

    def node(kind: str, name: str, value: str, result: str) -> Node:
        return Node(Operator(kind, (tensor,), (tensor,)), name, (value,), (result,))

    nodes = (
        node("nchwc.Conv", "a/conv", "x", "t0"),
        node("nchwc.ReorderOutput", "ReorderOutput", "t0", "a/relu.out"),  # made for b: it exists only when b wants it
        node("nchwc.Conv", "b/conv", "a/relu.out", "t1"),
        node("nchwc.ReorderOutput", "ReorderOutput_1", "t1", "b/out"),  # nobody reads it: it is a result of b
    )
    assert assign(Network(nodes, {"x": tensor}, ("b/out",)), ["a", "b"]) == ["a", "b", "b", "b"]
