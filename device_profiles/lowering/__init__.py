"""What onnxruntime executes on a CPU, worked out without it: a network as written -> the network after the runtime's own optimisations.

Asking the runtime takes seconds, this takes milliseconds. It is used only where it is known to be right: for the versions of the runtime
that it was compared with (`VERSIONS`), and for graphs that hold nothing but what is modelled here; every other graph raises `Unsure`,
and the runtime is asked.
"""

from device_profiles.lowering.cpu import VERSIONS, block_of, lower_file, lower_network
from device_profiles.lowering.draft import Unsure

__all__ = ["VERSIONS", "Unsure", "block_of", "lower_file", "lower_network"]
