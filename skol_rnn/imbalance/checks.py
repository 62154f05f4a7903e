"""Checks of numbers, with messages that name the option or the label."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any


def whole_number(what: str, value: Any, least: int = 0) -> int:
    """Return a whole number that is large enough, or raise a ValueError."""
    if math.isnan(_as_float(value)) or not least <= value < 2**63 or value % 1:
        raise ValueError(f"{what} must be a whole number of at least {least}, not {value!r}.")
    return int(value)


def finite_number(what: str, value: Any, least: float, most: float = math.inf) -> float:
    """Return a finite number in a range, or raise a ValueError."""
    number = _as_float(value)
    if not least <= number <= most or number == math.inf:
        allowed = (
            f"a number from {least:g} to {most:g}" if most < math.inf else f"a finite number of at least {least:g}"
        )
        raise ValueError(f"{what} must be {allowed}, not {value!r}.")
    return number


def _as_float(value: Any) -> float:
    """Return a number as float, and NaN for everything else."""
    try:
        return float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    except OverflowError:
        return math.nan
