"""The Keras network and its losses."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

from skol_rnn.labels import printable


def _check_backend() -> None:
    """Raise an ImportError before Keras loads where it is to use another framework than TensorFlow."""
    keras = sys.modules.get("keras")
    backend = os.environ.get("KERAS_BACKEND") if keras is None else keras.config.backend()
    file = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "keras.json"
    if not backend:
        with contextlib.suppress(OSError, ValueError, AttributeError):  # Keras ignores such a file, too
            backend = json.loads(file.read_text(encoding="utf-8")).get("backend")
    if backend and backend != "tensorflow":
        raise ImportError(
            f"Keras is configured for {printable(str(backend))} (KERAS_BACKEND, or {printable(str(file))}), "
            "but skol_rnn needs TensorFlow: set KERAS_BACKEND=tensorflow before Keras is imported."
        )


_check_backend()
