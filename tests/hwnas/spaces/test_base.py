"""The contract, held by every space there is."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable

import numpy as np
import pytest

from device_profiles import onnx_io
from device_profiles.errors import InputError
from hwnas import spaces
from hwnas.spaces import MobileNetSpace, SearchSpace, Stage
from hwnas.spaces.base import Choice

TINY = (
    Stage(widths=(8, 16), depths=(1, 2), kernels=(3, 5), expansions=(1, 2), stride=1),
    Stage(widths=(16,), depths=(1,), kernels=(3,), expansions=(1, 2), stride=2),
)


def tiny() -> MobileNetSpace:
    return MobileNetSpace(TINY, classes=3, channels=1, resolution=8, stem=8, head=16)


@pytest.fixture(params=[*spaces.SPACES, "tiny"])
def space(request: pytest.FixtureRequest, tiny_space: Callable[[str], SearchSpace]) -> SearchSpace:
    return tiny() if request.param == "tiny" else tiny_space(request.param)


def test_samples_are_legal_canonical_and_repeatable(space: SearchSpace) -> None:
    archs = space.sample(200, np.random.default_rng(3))
    assert archs.shape == (200, len(space.choices))
    np.testing.assert_array_equal(space.canonical(archs), archs)
    np.testing.assert_array_equal(space.sample(200, np.random.default_rng(3)), archs)
    assert len(np.unique(archs, axis=0)) > 3


def test_decode_and_encode_are_inverse(space: SearchSpace) -> None:
    for arch in space.sample(30, np.random.default_rng(0)):
        np.testing.assert_array_equal(space.encode(space.decode(arch))[0], arch)


def test_networks_hold_together_and_name_their_parts(space: SearchSpace) -> None:
    parts = {part.name for part in space.parts}
    for arch in [*space.smallest(), *space.largest(), *space.sample(10, np.random.default_rng(1))]:
        network = space.network(arch)
        again = onnx_io.read_network(onnx_io.network_model(network))
        assert [op.key for op in again.operators] == [op.key for op in network.operators]
        assert {node.name.split("/")[0] for node in network.nodes} <= parts
        assert {value.split("/")[0] for node in network.nodes for value in node.outputs} <= parts
        assert network.nodes[-1].operator.outputs[0].shape == (1, space.classes)


def test_a_part_depends_on_its_choices_alone(space: SearchSpace) -> None:
    rng = np.random.default_rng(5)
    seen: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for arch in space.sample(120, rng):
        nodes: dict[str, list[str]] = {part.name: [] for part in space.parts}
        for node in space.network(arch).nodes:
            nodes[node.name.split("/")[0]].append(node.operator.key)
        for part in space.parts:
            key = (part.name, tuple(arch[list(part.choices)].tolist()))
            assert seen.setdefault(key, nodes[part.name]) == nodes[part.name], f"{part.name} depends on more than {part.choices}"


def test_inactive_choices_do_nothing(space: SearchSpace) -> None:
    rng = np.random.default_rng(7)
    raw = rng.integers(0, space.cardinalities, (50, len(space.choices)))
    for arch, canonical in zip(raw, space.canonical(raw), strict=True):
        first, second = space.network(arch), space.network(canonical)
        assert sorted(op.key for op in first.operators) == sorted(op.key for op in second.operators)


def test_canonical_is_canonical(space: SearchSpace) -> None:
    raw = np.random.default_rng(8).integers(0, space.cardinalities, (200, len(space.choices)))
    canonical = space.canonical(raw)
    np.testing.assert_array_equal(space.canonical(canonical), canonical)
    assert canonical.dtype == np.int64


def test_a_network_takes_the_image_that_the_space_says(space: SearchSpace) -> None:
    for arch in space.sample(20, np.random.default_rng(9)):
        (image,) = space.network(arch).inputs.values()
        assert image.shape == (1, *space.image_shape(arch))
        assert image.shape[2] <= space.input_shape[1]


def test_the_size_is_the_number_of_canonical_architectures(space: SearchSpace) -> None:
    number = math.prod(space.cardinalities.tolist())
    assert space.size <= number
    if number > 300_000:
        pytest.skip("too many to count")
    every = np.stack(np.unravel_index(np.arange(number), space.cardinalities), axis=1)
    assert len(np.unique(space.canonical(every), axis=0)) == space.size


def test_every_part_can_be_tabled(space: SearchSpace) -> None:
    from predictors.covering import covering

    archs = covering(space, np.random.default_rng(0))
    np.testing.assert_array_equal(space.canonical(archs), archs)


def test_smallest_and_largest_bound_the_work(space: SearchSpace) -> None:
    if not isinstance(space.choices[0].values[0], int):
        pytest.skip("operators have no order")
    smallest, largest = (space.network(a[0]).macs for a in (space.smallest(), space.largest()))
    for arch in space.sample(50, np.random.default_rng(2)):
        assert smallest <= space.network(arch).macs <= largest


def test_spec_rebuilds_the_space(space: SearchSpace) -> None:
    again = spaces.from_spec(json.loads(json.dumps(space.spec())))
    assert again.choices == space.choices
    assert again.parts == space.parts
    assert again.size == space.size
    assert again.network(again.largest()[0]).nodes == space.network(space.largest()[0]).nodes


def test_size_is_exact() -> None:
    space = tiny()
    every = np.array(list(itertools.product(*(range(n) for n in space.cardinalities))))
    assert (
        len(np.unique(space.canonical(every), axis=0)) == space.size == 2 * (4 + 16) * 2
    )  # a width, depth or kernel of one value is no choice


@pytest.mark.parametrize(
    ("arch", "words"),
    [([0], "choices"), ([[0] * 3], "choices"), ([0.5] * 7, "whole"), (["a"] * 7, "whole")],
)
def test_wrong_architectures_are_refused(arch: list[object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        tiny().validate(arch)


def test_an_illegal_index_is_named_with_the_legal_ones() -> None:
    space = tiny()
    with pytest.raises(InputError, match=r"stage1\.width cannot have index 2; legal: 0 \(8\), 1 \(16\)"):
        space.validate([2] + [0] * (len(space.choices) - 1))
    with pytest.raises(InputError, match=r"stage1\.width cannot be 9; legal: 8, 16"):
        space.encode({"stage1.width": 9})
    with pytest.raises(InputError, match=r"did you mean 'stage1\.width'"):
        space.encode({"stage1.with": 8})


def test_a_space_of_four_lines_works() -> None:
    class Two(SearchSpace):
        name = "two"
        choices = (Choice("a", (1, 2)), Choice("b", (3, 4, 5)))
        parts, classes, input_shape = (), 2, (1, 4, 4)

        def network(self, arch):  # type: ignore[no-untyped-def]
            raise NotImplementedError

        supernet = spec = network  # type: ignore[assignment]

    space = Two()
    assert space.size == 6
    assert space.decode([1, 2]) == {"a": 2, "b": 5}
    assert space.largest().tolist() == [[1, 2]]
