"""Names with options, as in ``"focal:gamma=2"``, and checks of numbers that name the option or the label."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from skol_rnn.labels import LabelSet, check_choice, suggestion


def parse_options(text: str, known: Mapping[str, Mapping[str, float]], what: str) -> tuple[str, dict[str, float]]:
    """Split ``name:option=value,...`` and check it against the names, their options and the options' defaults.

    >>> parse_options("focal:gamma=1.5", {"focal": {"gamma": 2.0}, "none": {}}, "loss")
    ('focal', {'gamma': 1.5})
    """
    name, _, rest = text.partition(":")
    check_choice(what, name, known)
    options = dict(known[name])
    for part in rest.split(",") if rest else ():
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if key not in options:
            allowed = f"has the options {', '.join(options)}" if options else "has no options"
            raise ValueError(f"{what}={text!r}: {name} {allowed}, not {key!r}.{suggestion(key, options)}")
        try:
            options[key] = float(value) if equals else math.nan
        except ValueError:
            options[key] = math.nan
        if math.isnan(options[key]):
            raise ValueError(f"{what}={text!r}: {key} needs a number, as in {name}:{key}={known[name][key]:g}.")
    return name, options


def whole_number(what: str, value: Any, least: int = 0) -> int:
    """Return a whole number that is large enough, or raise a ValueError."""
    if not least <= _as_float(value) or not value < 2**63 or value % 1:
        raise ValueError(f"{what} must be a whole number of at least {least}, not {value!r}.")
    return int(value)


def finite_number(what: str, value: Any, least: float, most: float = math.inf) -> float:
    """Return a finite number in a range, or raise a ValueError."""
    number = _as_float(value)
    if not least <= number <= most or number == math.inf:
        limits = f" from {least:g} to {most:g}"
        allowed = f"a finite number of at least {least:g}" if most == math.inf else f"a number{limits}"
        raise ValueError(f"{what} must be {allowed}, not {value!r}.")
    return number


def _as_float(value: Any) -> float:
    """Return a number as float, and NaN for everything else."""
    try:
        return float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    except OverflowError:
        return math.nan


def check_length(labels: LabelSet, values: Sequence[Any] | np.ndarray, what: str) -> None:
    """Raise a ValueError unless there is one value for each label."""
    if len(values) != len(labels):
        raise ValueError(f"There are {len(values)} {what} for {len(labels)} labels.")


def checked_counts(counts: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the counts of the labels as an array of floats, none negative."""
    number = np.asarray(counts, dtype=np.float64)
    wrong = number[~np.isfinite(number) | (number < 0)]
    if number.ndim != 1 or wrong.size:
        found = f"{wrong[0]:g}" if wrong.size else f"an array of shape {number.shape}"
        raise ValueError(f"counts must be one number of at least 0 per label, not {found}.")
    return number
