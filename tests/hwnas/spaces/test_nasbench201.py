from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.spaces import NASBench201Space
from hwnas.spaces.nasbench201 import OPERATORS, live

RECORDED = Path(os.environ.get("HWNAS_DATA", Path(__file__).parents[3] / ".." / "shared" / "data")) / "nb201"
recorded = pytest.mark.skipif(not (RECORDED / "nb201.npz").is_file(), reason="the recorded NAS-Bench-201 tables are not here")


@pytest.fixture(scope="module")
def space() -> NASBench201Space:
    return NASBench201Space(10, 3, 32)


def parse(space: NASBench201Space, *edges: str) -> np.ndarray:
    """The architecture of six operators by their first letters and digits: n, s, 1, 3, a."""
    return space.validate(["ns13a".index(edge) for edge in edges])


def test_strings_are_read_and_written(space: NASBench201Space) -> None:
    text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|skip_connect~2|"
    arch = space.from_string(text)
    assert space.to_string(arch) == text
    assert space.decode(arch) == dict(
        zip(["edge0-1", "edge0-2", "edge1-2", "edge0-3", "edge1-3", "edge2-3"], space.cell(arch), strict=True)
    )
    for row in np.random.default_rng(0).integers(0, 5, (50, 6)):
        np.testing.assert_array_equal(space.from_string(space.to_string(row))[0], row)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "|none~0|",
        "|none~0|+|none~0|none~0|+|none~0|none~1|none~2|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|maxpool~2|",
        "|none~0|+" * 9,
    ],
)
def test_what_is_no_cell_is_refused(space: NASBench201Space, text: str) -> None:
    with pytest.raises(InputError, match=r"no NAS-Bench-201 cell|no operator"):
        space.from_string(text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("3nnnsn", "nnn3nn", True),  # a skip connection is its source
        ("3nnnna", "nnnnnn", True),  # what leads nowhere, what nothing reaches
        ("31nn1a", "13nna1", True),  # inner nodes renamed
        ("nssn33", "nnn3nn", True),  # node 1 is not reached
        ("33nn1a", "3nsn1a", False),  # two nodes alike have weights of their own, one node has not
        ("1nsns3", "1nsn3s", True),
        ("3nn3nn", "nnn3nn", True),
    ],
)
def test_equal_forms_are_equal_networks(space: NASBench201Space, one: str, other: str, same: bool) -> None:
    first, second = parse(space, *one), parse(space, *other)
    if same:
        assert sorted(op.key for op in space.network(first).operators) == sorted(op.key for op in space.network(second).operators)
    assert np.array_equal(space.canonical(first), space.canonical(second)) is same


def test_live_edges() -> None:
    assert live(("none", "a", "b", "none", "c", "d")) == {(0, 2): "a", (2, 3): "d"}
    assert live(("a", "none", "b", "none", "none", "c")) == {(0, 1): "a", (1, 2): "b", (2, 3): "c"}


def test_there_are_as_many_cells_as_are_different(space: NASBench201Space) -> None:
    assert space.size == 5425
    assert len(np.unique(space.published_class(np.stack(np.unravel_index(np.arange(15625), (5,) * 6), axis=1)))) == 6466


@recorded
def test_the_recorded_table_has_the_same_cells(space: NASBench201Space) -> None:
    with np.load(RECORDED / "nb201.npz", allow_pickle=False) as table:
        order, representative = [OPERATORS.index(str(name)) for name in table["ops"]], table["rep_idx"]
        archs = np.array(order)[table["arch_ops"].astype(int)]
    texts = gzip.decompress((RECORDED / "nb201_archs.txt.gz").read_bytes()).decode().split()
    for index in range(0, len(texts), 100):
        np.testing.assert_array_equal(space.from_string(texts[index])[0], archs[index])
    pairs = np.stack([representative, space.published_class(archs)])
    assert len(np.unique(pairs, axis=1).T) == len(np.unique(representative)) == 6466


@recorded
def test_macs_and_parameters_are_the_published_ones(space: NASBench201Space) -> None:
    """Where no edge is dead: the published counts add 3 per normalised value, 9 per pooled one, and 37,952 for the rest of the network."""
    with np.load(RECORDED / "nb201.npz", allow_pickle=False) as table:
        names, scores, which = [str(n) for n in table["zc_names"]], table["zc_scores_cifar10"], table["zc_idx_cifar10"]
        archs = table["arch_ops"].astype(int)[which]
    checked = 0
    for arch, score in zip(archs[:300], scores, strict=False):
        if len(live(space.cell(arch))) < sum(operator != "none" for operator in space.cell(arch)):
            continue
        network = space.network(arch)
        normed = [node.operator for node in network.nodes if node.operator.kind == "Conv" and len(node.operator.inputs) > 2]
        pooled = sum(n.operator.outputs[0].size for n in network.nodes if n.operator.kind == "AveragePool" and n.name.startswith("cell"))
        extra = 3 * sum(op.outputs[0].size for op in normed) + 9 * pooled + 37_952
        assert network.macs + extra == pytest.approx(1e6 * score[names.index("flops")], rel=1e-6)
        # Folded: one number per channel in place of scale and shift; and mean and variance of the last batch-norm are counted here.
        scales = sum(op.inputs[2].size for op in normed if op.inputs[2] is not None)
        assert network.params + scales - 2 * 64 == pytest.approx(1e6 * score[names.index("params")], rel=1e-6)
        checked += 1
    assert checked > 50


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(InputError, match="resolution that 4 divides"):
        NASBench201Space(10, 3, 30)
    with pytest.raises(InputError, match="operators must be two or more of none, skip_connect"):
        NASBench201Space(10, 3, 32, operators=("none", "conv"))
