"""From features of lines to probabilities: windows, network, and windows merged into lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from skol_rnn.features.base import LineFeatures
from skol_rnn.windows import cut_windows, merge_windows

CHUNK = 5_000
"""Lines predicted at a time, in whole documents: it bounds memory."""


class Runner(Protocol):
    """What runs the network: Keras or ONNX Runtime."""

    n_labels: int

    def logits(self, features: LineFeatures, lines: np.ndarray) -> np.ndarray:
        """Compute logits (windows, window, labels) of windows of line indices; -1 is padding, on the right."""


@dataclass(frozen=True)
class PredictionWindows:
    """Size and stride of prediction windows, and how many form a batch."""

    window_size: int
    stride: int
    batch_size: int

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> PredictionWindows:
        """Read the settings of a trained model; early models saved no stride and used a third of the window."""
        window, stride = settings["window_size"], settings["prediction_stride"]
        return cls(window, stride or max(window // 3, 1), settings["prediction_batch_size"])


def predict_lines(
    runner: Runner, features: LineFeatures, lengths: Sequence[int], windows: PredictionWindows
) -> np.ndarray:
    """Compute each line's probabilities, float64 of shape (lines, labels), for documents of some lengths."""
    cut = cut_windows(lengths, windows.window_size, windows.stride)
    # (windows, window, labels)
    values = np.zeros((*cut.lines.shape, runner.n_labels), np.float32)
    for i in range(0, len(cut), windows.batch_size):
        batch = slice(i, i + windows.batch_size)
        values[batch] = _softmax(runner.logits(features, cut.lines[batch]))
    return merge_windows(values, cut)


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)
