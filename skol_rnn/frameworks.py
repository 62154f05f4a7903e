"""The choice of the framework that Keras runs on, and versions of libraries; it loads none of them."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
import warnings
from pathlib import Path

from skol_rnn.errors import FrameworkWarning
from skol_rnn.labels import printable

FRAMEWORKS = ("tensorflow", "torch", "jax")
"""Backends of Keras that can train, the preferred one first; their packages have the same names."""


def installed_versions(*libraries: str) -> dict[str, str]:
    """Return the versions of those libraries that are installed."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in libraries:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def choose_backend() -> str:
    """Return the backend of Keras, the user's choice or an installed one; call it before Keras is imported.

    An ImportError says what to set or to install.
    """
    if keras := sys.modules.get("keras"):
        return _checked(keras.config.backend(), "Keras is loaded")
    if chosen := os.environ.get("KERAS_BACKEND"):
        return _checked(chosen, "KERAS_BACKEND is set")
    configured, file = _configured()
    # Keras writes a file that names TensorFlow, whatever is installed.
    if configured and (configured != "tensorflow" or _is_installed(configured)):
        return _checked(configured, f"Keras is configured by {printable(str(file))}")
    for name in FRAMEWORKS:
        if _is_installed(name):
            if name != "tensorflow":
                warnings.warn(
                    f"TensorFlow is not installed: Keras runs on {name}. Set KERAS_BACKEND={name} to choose it yourself.",
                    FrameworkWarning,
                    stacklevel=3,
                )
                os.environ["KERAS_BACKEND"] = name
            return name
    raise ImportError(
        "The network needs TensorFlow, PyTorch or JAX, and none is installed: pip install tensorflow, or "
        "pip install torch (or jax) and set KERAS_BACKEND=torch (or jax)."
    )


def _checked(name: str, how: str) -> str:
    """Return the name of a backend that is installed and can train."""
    if name not in FRAMEWORKS:
        raise ImportError(
            f"{how} for {printable(name)}, which cannot train: set KERAS_BACKEND to {', '.join(FRAMEWORKS)} before Keras "
            "is imported."
        )
    if not _is_installed(name):
        others = [other for other in FRAMEWORKS if _is_installed(other)]
        instead = f", or set KERAS_BACKEND={others[0]}" if others else ""
        raise ImportError(f"{how} for {name}, which is not installed: pip install {name}{instead}.")
    return name


def _is_installed(name: str) -> bool:
    return name in sys.modules or importlib.util.find_spec(name) is not None


def _configured() -> tuple[str | None, Path]:
    """Return the backend that Keras's configuration file names, and the file."""
    file = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "keras.json"
    with contextlib.suppress(OSError, ValueError, AttributeError):  # Keras ignores such a file, too
        backend = json.loads(file.read_text(encoding="utf-8")).get("backend")
        return str(backend) if backend else None, file
    return None, file
