"""The space is the published one: sizes, encodings, MACs and parameters."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.spaces.ofa import from_published, ofa_mobilenetv3, to_published

RECORDED = Path(os.environ.get("HWNAS_DATA", Path(__file__).parents[3] / ".." / "shared" / "data")) / "ofa" / "ofa_mbv3_w10_acc.npz"


def test_there_are_as_many_architectures_as_published() -> None:
    assert ofa_mobilenetv3(1000, 3, 224).size == (9**2 + 9**3 + 9**4) ** 5
    assert ofa_mobilenetv3(1000, 3, 224, range(128, 225, 4)).size == 25 * (9**2 + 9**3 + 9**4) ** 5


def test_published_dictionaries_are_read_and_written() -> None:
    space = ofa_mobilenetv3(10, 3, 64, (48, 64))
    for arch in space.sample(30, np.random.default_rng(0)):
        published = to_published(space, arch)
        assert {name: len(values) for name, values in published.items()} == {"ks": 20, "e": 20, "d": 5, "r": 1}
        np.testing.assert_array_equal(from_published(space, published)[0], arch)


def test_entries_beyond_the_depth_do_nothing() -> None:
    space = ofa_mobilenetv3(10, 3, 64)
    published = {"ks": [3] * 20, "e": [4] * 20, "d": [2] * 5}
    odd = {"ks": [3, 3, 7, 7] * 5, "e": [4, 4, 6, 6] * 5, "d": [2] * 5, "r": 64}
    np.testing.assert_array_equal(from_published(space, published), from_published(space, odd))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ks": [3] * 19}, "20 whole numbers in 'ks'"),
        ({"d": [2, 2, 2, 2, 5]}, "depth cannot be 5; legal: 2, 3, 4"),
        ({"r": 192}, "not r = 192"),
    ],
)
def test_what_is_no_architecture_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        from_published(ofa_mobilenetv3(10, 3, 64), {"ks": [3] * 20, "e": [4] * 20, "d": [2] * 5} | change)


@pytest.mark.skipif(not RECORDED.is_file(), reason="the recorded Once-for-All table is not here")
def test_macs_and_parameters_are_the_published_ones() -> None:
    """MACs agree exactly; published parameters also count the scale of every batch-norm, which is folded away here."""
    space = ofa_mobilenetv3(1000, 3, 224)
    with np.load(RECORDED, allow_pickle=False) as table:
        rows = {name: table[name] for name in ("ks", "e", "d", "macs", "params")}
    for row in range(0, len(rows["macs"]), 24):
        network = space.network(from_published(space, {name: rows[name][row] for name in ("ks", "e", "d")}))
        scales = sum(
            node.operator.inputs[2].size
            for node in network.nodes
            if node.operator.kind == "Conv" and len(node.operator.inputs) > 2 and "squeeze" not in node.name and node.operator.inputs[2]
        )
        assert network.macs == rows["macs"][row]
        assert network.params + scales == rows["params"][row]
