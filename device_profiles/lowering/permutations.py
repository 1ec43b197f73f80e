"""Permutations of dimensions."""

from __future__ import annotations

from collections.abc import Collection, Sequence

Perm = tuple[int, ...]


def inverted(perm: Perm) -> Perm:
    """The permutation that undoes one."""
    back = [0] * len(perm)
    for position, dimension in enumerate(perm):
        back[dimension] = position
    return tuple(back)


def compose(first: Perm, second: Perm) -> Perm:
    """One permutation that does what two do, one after the other."""
    return tuple(first[p] for p in second)


def identity(perm: Perm) -> bool:
    """Whether a permutation changes nothing."""
    return perm == tuple(range(len(perm)))


def permuted(shape: Sequence[int], perm: Perm) -> tuple[int, ...]:
    """A shape with its dimensions in another order."""
    return tuple(shape[p] for p in perm)


def squeezed(perm: Perm, axes: Collection[int]) -> Perm:
    """A permutation of the dimensions that are left when `axes` (of what is permuted) are taken away."""
    left = {axis: position for position, axis in enumerate(a for a in range(len(perm)) if a not in axes)}
    return tuple(left[p] for p in perm if p in left)


def unsqueezed(perm: Perm, axes: Collection[int]) -> Perm:
    """A permutation that leaves new dimensions at `axes` where they are and orders the others as before."""
    old = [axis for axis in range(len(perm) + len(axes)) if axis not in axes]
    following = iter(perm)
    return tuple(axis if axis in axes else old[next(following)] for axis in range(len(perm) + len(axes)))
