from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from device_profiles.lowering import permutations as p

PERMS = st.integers(1, 6).flatmap(lambda n: st.permutations(range(n))).map(tuple)


@given(PERMS, st.data())
def test_permutations_do_what_numpy_does(perm: p.Perm, data: st.DataObject) -> None:
    second = tuple(data.draw(st.permutations(range(len(perm)))))
    array = np.arange(np.prod(range(1, len(perm) + 1))).reshape(range(1, len(perm) + 1))
    assert p.identity(p.compose(perm, p.inverted(perm)))
    assert array.transpose(perm).shape == p.permuted(array.shape, perm)
    np.testing.assert_array_equal(array.transpose(perm).transpose(second), array.transpose(p.compose(perm, second)))


@given(PERMS, st.data())
def test_dimensions_that_go_and_come(perm: p.Perm, data: st.DataObject) -> None:
    axis = data.draw(st.integers(0, len(perm) - 1))
    shape = [2 + d for d in range(len(perm))]
    shape[axis] = 1
    array = np.zeros(shape)
    moved = array.transpose(perm)
    at = perm.index(axis)
    assert np.squeeze(array, axis).transpose(p.squeezed(perm, [axis])).shape == np.squeeze(moved, at).shape
    added = data.draw(st.integers(0, len(perm)))
    assert np.expand_dims(array, added).transpose(p.unsqueezed(perm, [added])).shape == np.expand_dims(moved, added).shape
