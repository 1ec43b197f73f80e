"""Numbers as an engineer reads them: three significant digits, a unit, an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

#: Used where a number is not known.
UNKNOWN = "–"


def number(value: float, digits: int = 3) -> str:
    """`value` with `digits` significant digits and no exponent: 0.0520, 12.3, 4,810."""
    if not math.isfinite(value):
        return UNKNOWN
    return f"{value:,.{decimals(value, digits)}f}"


def decimals(value: float, digits: int = 3) -> int:
    """How many digits after the point show `digits` significant ones (at most 9)."""
    if value == 0 or not math.isfinite(value):
        return 0
    # The exponent of the rounded number: 0.9996 with three digits is 1.00, not 1.000.
    exponent = int(f"{abs(value):.{digits - 1}e}".split("e")[1])
    return min(max(digits - 1 - exponent, 0), 9)


def signed(value: float, places: int = 1) -> str:
    """A difference with its sign, with a true minus: +1.2, −0.4, 0.0."""
    text = f"{abs(value):.{places}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else "−") + text


def percent(share: float | None, places: int = 1) -> str:
    """A share (0 to 1) in percent."""
    if share is None or not math.isfinite(share):
        return UNKNOWN
    return f"{share * 100:.{places}f} %"


def ratio(value: float) -> str:
    """How many times: 2.1×, 14×."""
    return f"{number(value, 2)}×"


def count(value: float | None) -> str:
    """A large count: 812, 45.6 k, 1.23 M, 4.81 G, 2.2×10^19."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if abs(value) >= 1e12:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}×10^{int(exponent)}"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 0.9995:
            return f"{number(value / size)} {letter}"
    return f"{value:.0f}"


def seconds(value: float) -> str:
    """A duration: 0.42 s, 4.2 s, 1 min 32 s, 2 h 05 min."""
    if not math.isfinite(value):
        return UNKNOWN
    if value < 59.95:
        return f"{number(value, 2) if value < 9.95 else f'{value:.0f}'} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(value / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def file_size(size: float) -> str:
    """Bytes in decimal units: 812 B, 45.6 kB, 1.23 MB."""
    text = count(size)
    return f"{text}B" if " " in text else f"{text} B"


def plural(n: int, noun: str) -> str:
    """`1 point`, `2 points`, `1,200 points`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
