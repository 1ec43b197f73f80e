"""In-memory computing: weights stay in crossbars of resistive cells, crossbars lie in tiles, tiles on a mesh.

The mapping is that of FLASH (Li, Mandal, Ogras and Marculescu, ACM TECS 2021): a layer takes ceil(Kx Ky N_if / rows) x ceil(N_of bits /
(columns x bits per cell)) crossbars, c crossbars make an element and p elements a tile, and a layer takes whole tiles of its own. Latency,
energy and area are computing plus network plus buffers; the network carries the inputs of every layer, those that skip connections
concatenate included. The constants are those of ISAAC (Shafiee et al., ISCA 2016, table I: 32 nm, 128 x 128 cells of 2 bits, 8-bit
converters), whose tile of 12 elements of 8 crossbars has 0.372 mm2.

Layers run one after another. Products of two activations (attention) have no weights to store: they, and all else, go to a vector unit.
Programming the cells is done once per network and is not in the price.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from device_profiles.operators import Operator
from predictors.accelerators.base import Accelerator, OperatorCost, positive
from predictors.accelerators.gemm import Gemm, as_gemms, moved_elements, vector_steps
from predictors.accelerators.mesh import Mesh
from predictors.accelerators.systolic import ADD_PJ, MAC_PJ, MAC_UM2


@dataclass(frozen=True)
class CrossbarTiles(Accelerator):
    """Tiles of crossbars on a mesh, as many as the network needs. Raises InputError for a number that is not above 0.

    Constants without a source of their own are those of ISAAC's table I. `*_mw` are drawn while a crossbar is read.
    """

    rows: int = 128
    columns: int = 128
    bits_per_cell: int = 2
    #: Bits of weights and activations; activations enter one bit per read.
    bits: int = 8
    crossbars_per_element: int = 8
    elements_per_tile: int = 12
    #: One read of a crossbar, all of its columns through one converter.
    read_ns: float = 100.0
    array_mw: float = 2.4 / 8
    converter_mw: float = 16.0 / 8
    drivers_mw: float = 4.0 / 8
    shift_add_mw: float = 0.2 / 8 + 0.01 / 8
    #: Input and output registers of an element.
    registers_mw: float = 1.24 + 0.23
    #: Array, converter, drivers, sample-and-hold, shift-and-add of one crossbar.
    crossbar_mm2: float = 0.0002 / 8 + 0.0096 / 8 + 0.00017 / 8 + 0.00004 / 8 + 0.00024 / 8
    registers_mm2: float = 0.0021 + 0.00077
    #: 64 kB of embedded DRAM and the bus to the elements, per tile.
    buffer_mm2: float = 0.083
    bus_mm2: float = 0.09
    #: Activation, pooling and output register of a tile.
    digital_mm2: float = 0.0006 + 0.00006 + 0.00024 + 0.0032
    #: 20 pJ per 64 bits of a memory of some 32 kB (Horowitz, ISSCC 2014), per byte read or written.
    buffer_pj_per_byte: float = 20.0 / 8
    #: The vector unit of the whole chip: lanes at this frequency, of the same width as the weights (8 bits where the width is not tabled).
    lanes: int = 64
    frequency_mhz: float = 1000.0
    mesh: Mesh = field(default_factory=Mesh)

    def __post_init__(self) -> None:
        positive(self)

    @property
    def tile_mm2(self) -> float:
        """One tile with its share of a router."""
        element = self.crossbars_per_element * self.crossbar_mm2 + self.registers_mm2
        return self.elements_per_tile * element + self.buffer_mm2 + self.bus_mm2 + self.digital_mm2 + self.mesh.router_mm2

    @property
    def standing(self) -> OperatorCost:
        """The vector unit, which is there whatever the network."""
        return OperatorCost(0.0, 0.0, self.lanes * MAC_UM2.get(self.bits, MAC_UM2[8]) * 1e-6)

    def crossbars(self, gemm: Gemm) -> int:
        """Crossbars that hold the weights of one layer; small groups share one, block by block along its diagonal."""
        wide = math.ceil(gemm.columns * self.bits / self.bits_per_cell)
        blocks = min(self.rows // gemm.inner, self.columns // wide) if gemm.inner <= self.rows and wide <= self.columns else 0
        if blocks:
            return math.ceil(gemm.repeats / blocks)
        return gemm.repeats * math.ceil(gemm.inner / self.rows) * math.ceil(wide / self.columns)

    def operator(self, op: Operator) -> OperatorCost:
        """Reads of crossbars, vector steps, buffers and the network for one operator, and the tiles that it occupies."""
        gemms = as_gemms(op)
        held = [gemm for gemm in gemms if gemm.stored]
        crossbars = sum(self.crossbars(gemm) for gemm in held)
        elements = math.ceil(crossbars / self.crossbars_per_element)
        tiles = math.ceil(crossbars / (self.crossbars_per_element * self.elements_per_tile))
        reads = sum(gemm.rows for gemm in held) * self.bits
        streamed = sum(gemm.macs for gemm in gemms if not gemm.stored)
        steps = vector_steps(op)
        read, _, written = moved_elements(op)
        compute_ns = reads * self.read_ns + math.ceil((streamed + steps) / self.lanes) * 1e3 / self.frequency_mhz
        network_ns = self.mesh.latency_ns(read * self.bits, tiles)
        energies = {
            "crossbar_pj": sum(gemm.rows * self._draw_mw(self.crossbars(gemm)) for gemm in held) * self.bits * self.read_ns,
            "vector_pj": streamed * MAC_PJ.get(self.bits, MAC_PJ[8]) + steps * ADD_PJ.get(self.bits, ADD_PJ[8]),
            "buffer_pj": (read + written) * self.bits / 8 * self.buffer_pj_per_byte,
            "network_pj": self.mesh.energy_pj(read * self.bits, tiles),
        }
        # At least one flit: an operator that reads nothing still has to be told to run.
        energy_pj = max(sum(energies.values()), self.mesh.flit_bits * self.mesh.router_pj_per_bit)
        counts = {"crossbars": crossbars, "elements": elements, "tiles": tiles, "reads": reads, "hops": self.mesh.hops(tiles)}
        details = {**counts, "compute_ns": compute_ns, "network_ns": network_ns, **energies}
        return OperatorCost((compute_ns + network_ns) * 1e-6, energy_pj * 1e-9, tiles * self.tile_mm2, details)

    def _draw_mw(self, crossbars: int) -> float:
        """Power of the crossbars of a layer and the registers of their elements while they are read; 1 mW for 1 ns is 1 pJ."""
        each = self.array_mw + self.converter_mw + self.drivers_mw + self.shift_add_mw
        return crossbars * each + math.ceil(crossbars / self.crossbars_per_element) * self.registers_mw
