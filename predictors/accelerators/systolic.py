"""A systolic array: cycles in the manner of SCALE-Sim, energy and area from published tables.

Cycles: a fold of a matrix product on R x C cells takes 2R + C + T - 2 cycles (Samajdar, Joseph, Zhu, Whatmough, Mattina and Krishna, "A
systematic methodology for characterizing scalability of DNN accelerators using SCALE-Sim", ISPASS 2020, section III), where T is the
dimension that streams: the inner one with stationary outputs, the rows with stationary weights. Products that are larger than the array are
cut into folds. With stationary outputs the formula counts the R cycles in which results leave the array, which a later simulator overlaps
with the next fold. Memory is double-buffered: an operator takes the longer of computing and moving its data, after the latency of one
access.

Every operator reads its inputs from DRAM and writes its results there. Leakage and clock are not in the energy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from device_profiles.errors import InputError, unknown
from device_profiles.operators import Operator
from predictors.accelerators.base import Accelerator, OperatorCost, positive
from predictors.accelerators.gemm import Gemm, as_gemms, moved_elements, vector_steps

DATAFLOWS = ("output-stationary", "weight-stationary")

#: Energy of one multiply-accumulate in pJ, and the area of its adder and multiplier in um2, by bits: integers of 8 bits added up in 32,
#: floats of 16 and 32 bits. 45 nm, 0.9 V: Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, figure 1.1.9.
MAC_PJ = {8: 0.2 + 0.1, 16: 1.1 + 0.4, 32: 3.7 + 0.9}
MAC_UM2 = {8: 282.0 + 137.0, 16: 1640.0 + 1360.0, 32: 7700.0 + 4184.0}

#: Energy of one addition in pJ by bits, for the vector unit (the same table).
ADD_PJ = {8: 0.03, 16: 0.4, 32: 0.9}

#: SRAM: kilobytes -> pJ per access of 64 bits (the same table).
SRAM_PJ = {8: 10.0, 32: 20.0, 1024: 100.0}


class _Traffic(NamedTuple):
    """Elements that pass between array and SRAM, and between SRAM and DRAM."""

    sram: int
    dram: int


@dataclass(frozen=True)
class SystolicArray(Accelerator):
    """`rows` x `columns` cells, three SRAMs and a vector unit of `columns` lanes.

    Raises InputError for an unknown dataflow, a width that is not tabled or a number that is not above 0.
    """

    rows: int = 32
    columns: int = 32
    #: One of `DATAFLOWS`.
    dataflow: str = "weight-stationary"
    #: Bits of a number: 8 (integers), 16 or 32 (floats).
    bits: int = 8
    frequency_mhz: float = 1000.0
    #: SRAM for input activations, weights and results.
    input_kb: float = 128.0
    weight_kb: float = 128.0
    output_kb: float = 128.0
    #: One 32-bit LPDDR4-3200 channel: 3200e6 transfers of 4 bytes per second (JEDEC JESD209-4).
    dram_gb_per_s: float = 12.8
    #: First data of a closed row, tRCD + tCL + controller: of the order of 100 ns (Hennessy and Patterson, 6th edition, section 2.2).
    dram_latency_ns: float = 100.0
    #: 1.3 nJ per 64 bits at best (Horowitz, ISSCC 2014).
    dram_pj_per_byte: float = 1300.0 / 8
    #: A bit cell of 0.346 um2 (45 nm; Mistry et al., IEDM 2007), half of the macro being cells.
    sram_mm2_per_kb: float = 0.346e-6 * 8 * 1024 / 0.5

    def __post_init__(self) -> None:
        if self.dataflow not in DATAFLOWS:
            raise unknown("dataflow", self.dataflow, DATAFLOWS)
        if self.bits not in MAC_PJ:
            raise InputError(f"bits of a systolic array are {', '.join(map(str, MAC_PJ))}, got {self.bits}")
        positive(self)

    @property
    def standing(self) -> OperatorCost:
        """The chip: cells, vector lanes and SRAM; wires and control are not in it."""
        cells = (self.rows * self.columns + self.columns) * MAC_UM2[self.bits] * 1e-6
        sram = (self.input_kb + self.weight_kb + self.output_kb) * self.sram_mm2_per_kb
        return OperatorCost(0.0, 0.0, cells + sram, {"cells_mm2": cells, "sram_mm2": sram})

    def operator(self, op: Operator) -> OperatorCost:
        """Cycles, moved bytes and energy of one operator; what is not a matrix product runs on the vector unit."""
        gemms, steps = as_gemms(op), vector_steps(op)
        cycles = sum(self.cycles(gemm) for gemm in gemms) + math.ceil(steps / self.columns)
        traffic = self._traffic(op, gemms)
        item = self.bits / 8
        compute_ns = cycles * 1e3 / self.frequency_mhz
        memory_ns = traffic.dram * item / self.dram_gb_per_s
        latency_ns = self.dram_latency_ns + max(compute_ns, memory_ns)
        mac_pj, step_pj = sum(gemm.macs for gemm in gemms) * MAC_PJ[self.bits], steps * ADD_PJ[self.bits]
        sram_pj, dram_pj = traffic.sram * item * self.sram_pj_per_byte, traffic.dram * item * self.dram_pj_per_byte
        details = {
            "cycles": cycles, "compute_ns": compute_ns, "memory_ns": memory_ns, "sram_bytes": traffic.sram * item,
            "dram_bytes": traffic.dram * item, "mac_pj": mac_pj + step_pj, "sram_pj": sram_pj, "dram_pj": dram_pj,
        }  # fmt: skip
        # At least one byte: a kernel that only renames a buffer is not free either.
        energy_pj = max(mac_pj + step_pj + sram_pj + dram_pj, self.dram_pj_per_byte)
        return OperatorCost(latency_ns * 1e-6, energy_pj * 1e-9, 0.0, details)

    def cycles(self, gemm: Gemm) -> int:
        """Cycles of the matrix products of one layer."""
        across, down, streamed = gemm.columns, gemm.rows, gemm.inner
        if self.dataflow == "weight-stationary":
            down, streamed = gemm.inner, gemm.rows
        folds = math.ceil(down / self.rows) * math.ceil(across / self.columns)
        return gemm.repeats * folds * (2 * self.rows + self.columns + streamed - 2)

    @property
    def sram_pj_per_byte(self) -> float:
        """Interpolated in the logarithms of the table at the largest of the three memories; the ends of the table beyond it."""
        largest = min(max(self.input_kb, self.weight_kb, self.output_kb, *[min(SRAM_PJ)]), max(SRAM_PJ))
        sizes = sorted(SRAM_PJ)
        upper = next(i for i, size in enumerate(sizes) if size >= largest)
        low, high = sizes[max(upper - 1, 0)], sizes[upper]
        share = math.log(largest / low) / math.log(high / low) if high > low else 0.0
        return math.exp((1 - share) * math.log(SRAM_PJ[low]) + share * math.log(SRAM_PJ[high])) / 8

    def _traffic(self, op: Operator, gemms: list[Gemm]) -> _Traffic:
        read, weights, written = moved_elements(op)
        if not gemms:
            return _Traffic(read + weights + written, read + weights + written)
        sram = sum(self._sram(gemm) for gemm in gemms)
        return _Traffic(sram, self._fetched(read, weights) + self._spilled(written, gemms))

    def _sram(self, gemm: Gemm) -> int:
        """Elements between array and SRAM. Inputs pass once per fold across; stationary weights are loaded once, streamed ones per fold
        down; partial sums of stationary weights are read again for every further fold of the inner dimension."""
        inputs = gemm.rows * gemm.inner * math.ceil(gemm.columns / self.columns)
        weights, results = gemm.inner * gemm.columns, gemm.rows * gemm.columns
        if self.dataflow == "output-stationary":
            return gemm.repeats * (inputs + weights * math.ceil(gemm.rows / self.rows) + results)
        return gemm.repeats * (inputs + weights + results * (2 * math.ceil(gemm.inner / self.rows) - 1))

    def _fetched(self, read: int, weights: int) -> int:
        """Elements from DRAM: each once where inputs or weights fit; else one of them again for every chunk of the other, as is cheaper."""
        item = self.bits / 8
        chunks_in = max(math.ceil(read * item / (self.input_kb * 1024)), 1)
        chunks_weight = max(math.ceil(weights * item / (self.weight_kb * 1024)), 1)
        return min(read * chunks_weight + weights, weights * chunks_in + read)

    def _spilled(self, written: int, gemms: list[Gemm]) -> int:
        """Elements to DRAM: results once, and partial sums back and forth where they do not stay in their SRAM."""
        if self.dataflow == "output-stationary" or written * self.bits / 8 <= self.output_kb * 1024:
            return written
        return written * (2 * max(math.ceil(gemm.inner / self.rows) for gemm in gemms) - 1)
