"""ONNX Runtime, imported without its telemetry."""

from __future__ import annotations

import os
from typing import Any


def import_runtime() -> Any:
    """Import ONNX Runtime without its telemetry, unless the user wants it."""
    # As soon as it is imported, it would write a device id and a queue of events into the user's cache.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("ONNX Runtime is not installed: pip install 'skol_rnn[serve]'.") from error
    return onnxruntime
