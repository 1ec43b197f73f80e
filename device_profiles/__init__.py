"""What a device really costs: operators and networks, the measuring protocol, profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from device_profiles.errors import DeviceError, HwnasError, InputError
from device_profiles.quantity import Quantity

if TYPE_CHECKING:
    from device_profiles.operators import Network, Operator
    from device_profiles.profile import DeviceProfile
    from device_profiles.protocol import Protocol

__all__ = ["DeviceError", "DeviceProfile", "HwnasError", "InputError", "Network", "Operator", "Protocol", "Quantity"]

_WHERE = {"Network": "operators", "Operator": "operators", "DeviceProfile": "profile", "Protocol": "protocol"}


def __getattr__(name: str) -> Any:
    """Loads what needs numpy only when it is asked for."""
    if name not in _WHERE:
        raise AttributeError(f"module 'device_profiles' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"device_profiles.{_WHERE[name]}"), name)
