"""Spans of time as people write and read them."""

from __future__ import annotations

import re

from device_profiles.errors import InputError

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str | None) -> float | None:
    """Seconds from `90s`, `10m`, `1.5h` or a bare number; None stays None. Raises InputError for anything else."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip().lower(), re.ASCII)
    if match is None or float(match[1]) <= 0:
        raise InputError(f"not a duration: {text!r}; write for example 90s, 10m or 1h")
    return float(match[1]) * _SECONDS[match[2]]


def spoken(span_s: float) -> str:
    """A span in words short enough for a progress line: `45 s`, `12 min`, `3 h 05 min`."""
    if span_s < 100:
        return f"{span_s:.0f} s"
    minutes = round(span_s / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
