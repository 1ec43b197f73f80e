"""Energy: meters behind one interface, and what a call costs in millijoules."""

from __future__ import annotations

from device_profiles.energy.choose import HELP, check_elsewhere, check_wanted, choose
from device_profiles.energy.find import find, meter_for
from device_profiles.energy.log import LogMeter
from device_profiles.energy.meter import Meter, MeterError, Reading

__all__ = ["HELP", "LogMeter", "Meter", "MeterError", "Reading", "check_elsewhere", "check_wanted", "choose", "find", "meter_for"]
