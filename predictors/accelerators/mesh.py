"""A mesh network-on-chip: what bringing data to a square of tiles takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from predictors.accelerators.base import positive


@dataclass(frozen=True)
class Mesh:
    """Routers in a square, one per tile, wormhole switching with X-Y routing (Dally and Towles, Principles and Practices of
    Interconnection Networks, 2004, chapters 3 and 5).

    Raises InputError for a number that is not above 0.
    """

    #: Bits that a link carries per cycle.
    flit_bits: int = 32
    frequency_mhz: float = 1000.0
    #: Cycles of a head flit in one router and its link.
    router_cycles: float = 4.0
    #: 42 mW for a router of 8 ports and 32 bits at 1 GHz, all ports busy (ISAAC, ISCA 2016, table I): 5.25 pJ per flit.
    router_pj_per_bit: float = 42.0 / 8 / 32
    #: A quarter of a router of 0.151 mm2, which four tiles share (the same table).
    router_mm2: float = 0.151 / 4

    def __post_init__(self) -> None:
        positive(self)

    def hops(self, tiles: int) -> float:
        """Mean distance that a flit travels to a layer on `tiles` tiles: one hop into its square, and the mean Manhattan distance within.

        Two uniform places on a line of s differ by (s^2 - 1) / (3 s) on average.
        """
        side = math.ceil(math.sqrt(tiles)) if tiles > 0 else 1
        return 1.0 + 2.0 * (side * side - 1) / (3.0 * side)

    def latency_ns(self, bits: float, tiles: int) -> float:
        """Until the last flit has arrived: the head travels, the others follow, all through the one link that leads into the square."""
        return (self.hops(tiles) * self.router_cycles + math.ceil(bits / self.flit_bits)) * 1e3 / self.frequency_mhz

    def energy_pj(self, bits: float, tiles: int) -> float:
        """Whole flits times hops."""
        return math.ceil(bits / self.flit_bits) * self.flit_bits * self.hops(tiles) * self.router_pj_per_bit
