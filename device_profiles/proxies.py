"""What an operator or a network needs for sure, whatever the device: counts from shapes alone, as proxies of area and memory."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from device_profiles.operators import Network, Operator


@dataclass(frozen=True, slots=True)
class Proxies:
    """Elements and bytes of the weights, the most bytes of activations that live at one time, multiply-accumulates."""

    params: int
    weight_bytes: float
    peak_activation_bytes: float
    macs: int

    @property
    def memory_mb(self) -> float:
        """Weights and activations together, in MB of a million bytes: the least that an execution can do with."""
        return (self.weight_bytes + self.peak_activation_bytes) / 1e6

    def to_json(self) -> dict[str, Any]:
        """The counts as JSON."""
        return asdict(self)


def proxies(subject: Operator | Network) -> Proxies:
    """The proxies of an operator or a network.

    Activations of a network are counted by liveness in the order of its nodes; those of an operator are all its inputs and outputs that
    are no constants, because they live together while it runs.
    """
    if isinstance(subject, Network):
        peak = subject.peak_activation_bytes
    else:
        peak = sum(t.bytes for t in subject.inputs if t is not None and not t.constant) + subject.written_bytes
    return Proxies(subject.params, subject.weight_bytes, peak, subject.macs)
