"""What a training may cost: named settings for what the caller leaves open."""

from __future__ import annotations

from typing import Any

from skol_rnn.labels import suggestion

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "fast": {
        "line": {"members": 1, "epochs": 2, "refit": False},
        "token": {"members": 1, "epochs": 3, "refit": False},
    },
    "default": {
        "line": {"members": 2, "epochs": 4, "refit": True},
        "token": {"members": 2, "epochs": 3, "refit": True},
    },
    "best": {
        "line": {"members": 5, "epochs": 4, "refit": True},
        "token": {"members": 5, "epochs": 3, "refit": True},
    },
}
"""Settings by preset and unit; all else is the same.  docs/benchmarks.md says what each is worth and takes."""


def preset(name: str, unit: str) -> dict[str, Any]:
    """Look up the settings of a preset."""
    if name not in PRESETS:
        raise ValueError(
            f"preset must be one of {', '.join(PRESETS)}, but is {name!r}.{suggestion(str(name), PRESETS)}"
        )
    return PRESETS[name][unit]
