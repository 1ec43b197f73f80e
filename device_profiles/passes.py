"""What a campaign measures after the times: the peak memory of whole networks, and the energy of everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from device_profiles import energy
from device_profiles.append import Appender
from device_profiles.energy.energy_pass import EnergyPass
from device_profiles.energy.find import on_gpu
from device_profiles.energy.meter import Meter, MeterError
from device_profiles.energy.summary import idle_quantity
from device_profiles.errors import RuntimeFailure
from device_profiles.items import Item
from device_profiles.plan import WholeNetwork
from device_profiles.quantity import Quantity
from device_profiles.runtimes.catalogue import COMPILING
from device_profiles.runtimes.process import RuntimeCrash, RuntimeProcess

#: Seconds for the peak memory of one network; only used to share out a budget.
_MEMORY_S = 0.6

#: Shares of a budget that are kept back from the times, at most for memory, and for energy.
_MEMORY_SHARE, _ENERGY_SHARE = 0.1, 0.35

#: The peaks of one network in several processes differ by up to this share to either side; a page more or less is not seen at all.
_MEMORY_SPREAD, _MEMORY_STEP_MB = 0.05, 0.3

#: Windows at rest that the header of a profile is told.
_RESTS = 3


class Passes:
    """The measurements that follow the times of a campaign.

    `problems` are sentences about what could not be measured; `header` is what the header of a new profile says about energy.
    """

    def __init__(
        self, runtime: RuntimeProcess, prepare: Callable[[], None], meter: Meter | Literal["auto"] | None, memory: bool, root: Path
    ) -> None:
        self.runtime, self.prepare = runtime, prepare
        provider = str(runtime.fingerprint().get("provider", ""))
        self.problems: list[str] = []
        # Neither a GPU's memory nor a compiler's is what the network needs of the device's.
        self.memory = memory and not on_gpu(provider) and runtime.runtime not in COMPILING
        if isinstance(meter, str):
            unreadable: list[str] = []
            meter = energy.meter_for(provider, energy.find(root, unreadable))
            self.problems = [] if meter else [f"Energy is unavailable: {line}." for line in unreadable]
        self.meter = meter

    def header(self) -> dict[str, Any] | str:
        """What a new profile says about energy: the meter with its rails and the power at rest, or "unavailable"."""
        if self.meter is None:
            return "unavailable"
        try:
            with EnergyPass(self.meter, self.runtime, self.prepare) as measuring:
                return {**self.meter.to_json(), "idle_w": idle_quantity([measuring.rest() for _ in range(_RESTS)]).to_json()}
        except MeterError as error:
            self._give_up(f"Energy is unavailable: {error}.")
            return "unavailable"

    def check(self, header: Any) -> None:
        """Gives energy up, with a sentence, when a profile was begun with another meter or with none."""
        same = isinstance(header, dict) and self.meter is not None and all(header.get(k) == v for k, v in self._identity().items())
        if self.meter is not None and not same:
            begun = header.get("meter") if isinstance(header, dict) else "none"
            self._give_up(f"Energy is not measured: this profile was begun with another meter ({begun}); choose another file for it.")

    def _identity(self) -> dict[str, Any]:
        known = self.meter.to_json() if self.meter is not None else {}
        return {name: known[name] for name in ("meter", "rails") if name in known}

    def _give_up(self, sentence: str) -> None:
        self.problems.append(sentence)
        self.meter = None

    def reserve_s(self, budget_s: float, items: Sequence[Item]) -> float:
        """Seconds of a budget that are kept back from the times of these items."""
        networks = sum(isinstance(item.subject, WholeNetwork) for item in items)
        memory = min(_MEMORY_SHARE * budget_s, (networks + 1) * _MEMORY_S) if self.memory and networks else 0.0
        return memory + (_ENERGY_SHARE * budget_s if self.meter is not None and items else 0.0)

    def run(
        self,
        profile: Appender,
        measured: Sequence[Item],
        floor: Item,
        done: set[str],
        left: Callable[[], float],
        tell: Callable[[str], None],
    ) -> None:
        """Writes what is missing of the `measured` items; stops when nothing more fits into the seconds that are `left()`.

        `tell` is told what is going on.
        """
        networks = [item for item in measured if isinstance(item.subject, WholeNetwork) and f"memory/{item.key}" not in done]
        for index, item in enumerate(networks if self.memory else ()):
            if left() > 0:
                tell(f"memory of {index} of {len(networks)} networks measured")
                profile.append(self._memory_line(item, floor))
        missing = [item for item in measured if f"energy/{item.key}" not in done]
        if self.meter is None or not missing:
            return
        tell(f"energy of 0 of {len(missing)} measured")
        try:
            with EnergyPass(self.meter, self.runtime, self.prepare, seed=len(done)) as measuring:
                for index, line in enumerate(measuring.measure(missing, floor, left), 1):
                    profile.append(line)
                    tell(f"energy of {index} of {len(missing)} measured")
        except MeterError as error:
            self._give_up(f"Energy stopped: {error}.")

    def _memory_line(self, item: Item, floor: Item) -> dict[str, Any]:
        line = {"type": "memory", "key": f"memory/{item.key}", "of": item.key}
        try:
            megabytes = self.runtime.peak_memory(item.model(), floor.model()) / 1e6
        except (RuntimeFailure, RuntimeCrash) as error:
            return {**line, "status": "failed", "error": str(error)}
        if megabytes <= 0:
            return {**line, "status": "failed", "error": "adds nothing that can be told to the memory of the empty runtime"}
        half = _MEMORY_SPREAD * megabytes + _MEMORY_STEP_MB
        quantity = Quantity(round(megabytes, 3), round(max(megabytes - half, 0.0), 3), round(megabytes + half, 3), "measured")
        return {**line, "status": "ok", "memory_mb": quantity.to_json()}
