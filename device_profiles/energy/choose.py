"""Which meter a campaign reads, as a user says it: `auto`, `none`, a meter by its name, or a log that another program writes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from device_profiles.energy.find import METERS, on_gpu
from device_profiles.energy.log import LogMeter
from device_profiles.energy.meter import Meter, MeterError
from device_profiles.energy.recorder import Recorder, wait
from device_profiles.errors import InputError, unknown

#: What the option is for, wherever it is one.
HELP = (
    f"The meter of energy: auto (the best that the device has), none, {', '.join(METERS)}, or log:FILE, a CSV file of seconds since 1970 "
    "and watts that another program is writing on the measured device meanwhile."
)

_LOG = "log:"

#: A named meter is tried for so long before anything else: in periods of the meter, and in seconds at the least.
_TRIAL_PERIODS, _TRIAL_S = 6, 0.3


def check_wanted(wanted: str) -> None:
    """Raises InputError unless `wanted` is something that `choose` knows; looks at no device and at no file."""
    if wanted.startswith(_LOG):
        if not wanted.removeprefix(_LOG):
            raise InputError("log: names no file; write the path of the meter's log behind it, such as log:/home/pi/meter.csv")
    elif wanted not in ("auto", "none", *METERS):
        raise unknown("meter", wanted, ["auto", "none", *METERS, "log:FILE"])


def check_elsewhere(wanted: str) -> None:
    """Raises InputError unless `wanted` can be said of another machine: a log there needs its whole path."""
    check_wanted(wanted)
    if wanted.startswith(_LOG) and not wanted.removeprefix(_LOG).startswith(("/", "~/")):
        raise InputError(f"{wanted}: the log lies on the board: give its whole path there, such as log:/home/pi/meter.csv")


def choose(wanted: str, provider: str, root: Path = Path("/")) -> Meter | Literal["auto"] | None:
    """The meter of that name, tried out, for a runtime whose provider is `provider`; `auto` and `none` (None) as a campaign takes them.

    Raises InputError for an unknown name, MeterError when the named meter is not there, cannot be read, stands still, or does not see what
    the runtime does.
    """
    check_wanted(wanted)
    if wanted == "none":
        return None
    if wanted == "auto":
        return "auto"
    try:
        if wanted.startswith(_LOG):
            meter: Meter = LogMeter(Path(wanted.removeprefix(_LOG)).expanduser())
        else:
            meter = METERS[wanted](root)
        if not wanted.startswith(_LOG) and meter.gpu != on_gpu(provider):
            sides = ("the GPU alone", "a processor") if meter.gpu else ("the processor's side", "a GPU")
            raise MeterError(f"it tells the energy of {sides[0]}, and this runtime runs on {sides[1]}")
        with Recorder(meter) as recorder:
            recorder.between(*wait(max(_TRIAL_S, _TRIAL_PERIODS * meter.period_s)))
    except MeterError as error:
        raise MeterError(f"the meter {wanted} cannot be used: {error}") from error
    return meter
