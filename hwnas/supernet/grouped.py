"""Several super-networks behind one: each group of architectures has weights of its own."""

from __future__ import annotations

import torch
from torch import nn

from device_profiles.errors import InputError
from hwnas.spaces.base import SearchSpace
from hwnas.supernet.base import Architecture, Supernet
from hwnas.supernet.grouping import Grouping


class GroupedSupernet(Supernet):
    """One super-network per group; the `prefix` leading pieces (stem, first block or cell, ...) are the same modules in all of them.

    Activating an architecture selects the super-network of its group. A step moves the weights of that group alone: no others have a
    gradient, so neither momentum nor weight decay touches them. Raises InputError when the network has fewer pieces than `prefix`.
    """

    def __init__(self, space: SearchSpace, grouping: Grouping, prefix: int = 0) -> None:
        super().__init__(space)
        self.grouping, self.prefix = grouping, prefix
        self.members = nn.ModuleList([space.supernet() for _ in range(grouping.groups)])
        first = self.member(0)
        pieces = first.pieces()
        if prefix > len(pieces):
            raise InputError(f"prefix {prefix} is more than the {len(pieces)} pieces of {space.name}: {', '.join(pieces)}")
        shared = [path for paths in list(pieces.values())[:prefix] for path in paths]
        for member in list(self.members)[1:]:
            for path in shared:
                owner, _, name = path.rpartition(".")
                member.get_submodule(owner)._modules[name] = first.get_submodule(path)
        self.selected = 0
        self.configure(self.active)

    def member(self, group: int) -> Supernet:
        """The super-network of a group."""
        member = self.members[group]
        assert isinstance(member, Supernet)
        return member

    def configure(self, architecture: Architecture) -> None:
        """Selects the group and, in its super-network, the sub-net."""
        self.selected = self.grouping.of(architecture)
        self.member(self.selected).configure(architecture)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits `(n, classes)` of the active sub-net."""
        logits: torch.Tensor = self.member(self.selected).forward(images)  # not called as a module: the calibration is kept here
        return logits

    def build(self) -> nn.Module:
        """The selected sub-net as plain layers."""
        return self.member(self.selected).build()
