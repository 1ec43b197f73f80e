"""An external power meter that another program writes into a CSV file while the campaign runs.

Two columns: seconds since 1970 and watts; one line of headings is allowed. The two clocks differ by an offset that the user states. The
program that writes it shall hand on every row at once (flush it): a row that comes later than a few seconds is not waited for.
"""

from __future__ import annotations

import math
import os
import time
from itertools import pairwise
from pathlib import Path
from typing import Literal

from device_profiles.energy.meter import Meter, MeterError, Reading, now

#: Rows that must be there before the distance between them is believed.
_LEAST_ROWS = 3

#: A newest row that is further than this from now (seconds, or two periods where that is more) is of another time.
_STALE_S = 5.0

#: A wall clock that jumps by more than this against the monotonic one no longer tells when a row was written.
_STEP_S = 0.05


class LogMeter(Meter):
    """A log that grows.

    `clock_offset_s`: by how much the clock of the log is ahead of the clock of this machine. Raises MeterError when the file cannot be
    read, has too few rows, holds a row that is no time and power, or when its newest row is not of now.
    """

    name = "log"
    unit: Literal["J", "W"] = "W"
    covers = "what the external meter is connected to"
    resolution = 0.0

    def __init__(self, path: str | Path, clock_offset_s: float = 0.0) -> None:
        self.path, self.clock_offset_s = Path(path), clock_offset_s
        self.rails = (self.path.name,)
        self._position, self._last_s, self._heading = 0, -math.inf, True
        self._wall = time.time() - now()
        rows = self.poll()
        if len(rows) < _LEAST_ROWS:
            raise MeterError(f"{path}: {len(rows)} rows are too few; the log must be running before the campaign starts")
        self._latest = rows[-1]
        self.period_s = (rows[-1].time_s - rows[0].time_s) / (len(rows) - 1)
        self._check_now()
        # What the rows themselves resolve: the smallest step between two of them that differ.
        values = sorted({row.value for row in rows})
        self.resolution = min((b - a for a, b in pairwise(values)), default=0.0)

    def _check_now(self) -> None:
        age_s = now() - self._latest.time_s
        if abs(age_s) > max(_STALE_S, 2 * self.period_s):
            where = f"{age_s:.0f} s old" if age_s > 0 else f"{-age_s:.0f} s ahead of this machine's clock"
            raise MeterError(f"{self.path}: its newest row is {where}; the meter must be running, and both clocks must agree")

    def read(self) -> Reading:
        """The newest row."""
        self.poll()
        return self._latest

    def poll(self) -> list[Reading]:
        """The rows that were written since the last call, at the times of this machine's clock."""
        if abs(time.time() - now() - self._wall) > _STEP_S:
            raise MeterError(f"the clock of this machine stepped, so the times in {self.path} can no longer be aligned")
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._position:
                    raise MeterError(f"{self.path} got shorter while it was read")
                file.seek(self._position)
                data = file.read()
        except OSError as error:
            raise MeterError(f"{self.path} cannot be read: {error.strerror or error}") from error
        complete = data[: data.rfind(b"\n") + 1]
        self._position += len(complete)
        rows = [row for text in complete.decode("utf-8", "replace").splitlines() if (row := self._row(text)) is not None]
        self._latest = rows[-1] if rows else getattr(self, "_latest", Reading(0.0, 0.0))
        return rows

    def _row(self, text: str) -> Reading | None:
        heading, self._heading = self._heading, False
        cells = text.replace(";", ",").split(",")
        try:
            stamp, watts = float(cells[0]), float(cells[1])
            if not (math.isfinite(stamp) and math.isfinite(watts)):
                raise ValueError(text)
        except (ValueError, IndexError) as error:
            if heading or not text.strip():
                return None
            raise MeterError(f"{self.path}: {text[:60]!r} is no row of seconds since 1970 and watts") from error
        if stamp <= self._last_s:
            raise MeterError(f"{self.path}: time goes backwards at {text[:60]!r}")
        self._last_s = stamp
        return Reading(stamp - self.clock_offset_s - self._wall, watts)

    def to_json(self) -> dict[str, object]:
        """What the header of a profile says about the meter."""
        return {**super().to_json(), "clock_offset_s": self.clock_offset_s}
