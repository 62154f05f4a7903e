"""What a training may cost: named settings for what the caller leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skol_rnn.labels import suggestion

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"members": 1, "epochs": 2},
    "default": {"members": 2, "epochs": 4},
    "best": {"members": 5, "epochs": 4},
}
"""Settings by preset; all else is the same.  docs/benchmarks.md says what each is worth and takes."""


def resolved(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what was left open, from the preset.

    Parameters
    ----------
    parameters : mapping
        What ``RNNSkolModel.get_params()`` returns.

    Returns
    -------
    dict
        The same, with a value wherever the preset has one and the caller gave None.

    Raises
    ------
    ValueError
        If there is no such preset.

    Examples
    --------
    >>> filled = resolved({"preset": "fast", "members": None, "epochs": 3})
    >>> filled["members"], filled["epochs"]
    (1, 3)
    """
    name = parameters["preset"]
    if name not in PRESETS:
        raise ValueError(
            f"preset must be one of {', '.join(PRESETS)}, but is {name!r}.{suggestion(str(name), PRESETS)}"
        )
    open_settings = {key: value for key, value in PRESETS[name].items() if parameters.get(key) is None}
    return {**parameters, **open_settings}
