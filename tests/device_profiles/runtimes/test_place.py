"""Places in memory: lines of a page, and the same results wherever the arrays lie."""

import numpy as np
import pytest

from device_profiles.graphs.models import operator_model
from device_profiles.operators import Operator, Tensor
from device_profiles.runtimes import base, catalogue
from device_profiles.runtimes.place import Place

X = Tensor((1, 8, 12, 12))
CONV = Operator(
    "Conv",
    (X, Tensor((16, 8, 3, 3), constant=True)),
    (Tensor((1, 16, 12, 12)),),
    (("kernel_shape", (3, 3)), ("pads", (1, 1, 1, 1))),
)


def test_every_line_of_a_page_is_a_place():
    place, rng = Place((3, 5), np.float32), np.random.default_rng(0)
    starts = set()
    for _ in range(2000):
        array = place.move(rng)
        array[...] = 7
        assert array.shape == (3, 5)
        starts.add(array.ctypes.data % 4096)
    assert starts == set(range(0, 4096, 64))


@pytest.mark.parametrize("shape", [(), (0, 4)])
def test_a_place_for_a_scalar_and_for_nothing(shape):
    assert Place(shape, np.int64).move(np.random.default_rng(0)).shape == shape


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_results_do_not_depend_on_the_place(name):
    pytest.importorskip(name)
    session = catalogue.create(name, 1).load(operator_model(CONV, copies=2), isolated=True)
    right = session.outputs()
    for _ in range(5):
        session.time(1, 0, 1, 1)
        for wanted, found in zip(right, _bound(session), strict=True):
            np.testing.assert_array_equal(found, wanted)


def _bound(session: base.Session) -> list[np.ndarray]:
    """What the last timed call wrote where it was told to write."""
    if hasattr(session, "binding"):
        return session.binding.copy_outputs_to_cpu()
    return [np.array(tensor.data) for tensor in session.request.output_tensors]
