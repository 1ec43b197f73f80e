from __future__ import annotations

import pytest

from device_profiles.errors import InputError
from device_profiles.operators import AttributeValue, Network, Node, Operator, Tensor
from device_profiles.validate import validate


def network(kind: str, *shapes: tuple[int, ...], **attributes: AttributeValue) -> Network:
    tensors = tuple(Tensor(shape, constant=i > 0) for i, shape in enumerate(shapes))
    operator = Operator(kind, tensors, (Tensor((1,)),), tuple(sorted(attributes.items())))
    return Network((Node(operator, "here", tuple(f"v{i}" for i in range(len(shapes))), ("y",)),), {"v0": tensors[0]}, ("y",))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (network("Conv", (1, 3, 8, 8), (4, 5, 3, 3)), "take 5 input channels, the input has 3"),
        (network("Conv", (1, 6, 8, 8), (4, 2, 3, 3), group=3), "cannot be divided"),
        (network("Conv", (1, 3, 8, 8), (4, 3, 3)), "do not fit"),
        (network("Conv", (1, 3, 8, 8), (4, 3, 3, 3), (5,)), "bias"),
        (network("Conv", (1, 3, 8, 8), (4, 3, 3, 3), kernel_shape=(5, 5)), "kernel_shape"),
        (network("Gemm", (1, 8), (10, 9), transB=1), "8 and 9 differ"),
        (network("MatMul", (1, 8), (9, 2)), "8 and 9 differ"),
        (network("Relu", (1, -3)), "negative"),
    ],
)
def test_what_cannot_run_is_named(wrong: Network, words: str) -> None:
    with pytest.raises(InputError, match=f"'here'.*{words}"):
        validate(wrong)


@pytest.mark.parametrize(
    "right",
    [
        network("Conv", (1, 6, 8, 8), (9, 2, 3, 1), (9,), group=3, kernel_shape=(3, 1)),
        network("Gemm", (8, 1), (8, 10), transA=1),
        network("MatMul", (2, 3, 5, 8), (8, 4)),
        network("Whatever", (1, 2), (3, 4)),
    ],
)
def test_what_can_run_passes(right: Network) -> None:
    validate(right)
