"""The network on windows of documents, run by Keras or ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from skol_rnn.errors import BundleError
from skol_rnn.features.base import LineFeatures
from skol_rnn.inference.onnx_runner import OnnxRunner
from skol_rnn.inference.quiet import load_keras
from skol_rnn.persistence.bundle import Bundle
from skol_rnn.windows import cut_windows, merge_windows

_LINES = 1 << 20  # in the windows of a batch, at most
_ONNX_LINES = 1_300  # in the windows of a batch, at most: the fastest of 400 to 3,000


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
        """Read the settings of a trained model; early models used the window of training, the first a third of it."""
        size = settings.get("prediction_window_size") or settings["window_size"]
        return cls(size, settings["prediction_stride"] or max(size // 3, 1), settings["prediction_batch_size"])


def saved_runner(
    bundle: Bundle, backend: str, threads: int | None = None, precision: str = "float32"
) -> tuple[Runner, PredictionWindows]:
    """Rebuild the network of a saved model."""
    windows = PredictionWindows.of(bundle.state["parameters"])
    windows = replace(windows, batch_size=min(windows.batch_size, max(_LINES // windows.window_size, 1)))
    if backend == "onnx":
        graph = bundle.int8_graph if precision == "int8" else bundle.graph
        assert graph is not None
        most = max(_ONNX_LINES // windows.window_size, 1)
        windows = replace(windows, batch_size=min(windows.batch_size, most))
        return OnnxRunner(graph, bundle.network, threads), windows
    load_keras()
    from skol_rnn.inference.keras_runner import KerasRunner

    return KerasRunner.rebuilt(bundle.state["network"], bundle.network), windows


def run_windows(
    runner: Runner, windows: PredictionWindows, features: LineFeatures, lengths: Sequence[int]
) -> np.ndarray:
    """Compute the probabilities of a network; each line's are averaged over the windows that hold it."""
    size = max(min(windows.window_size, max(lengths, default=0)), 1)  # no window of padding
    cut = cut_windows(lengths, size, min(windows.stride, size))
    values = np.zeros((*cut.lines.shape, runner.n_labels), np.float32)  # (windows, window, labels)
    for i in range(0, len(cut), windows.batch_size):
        batch = slice(i, i + windows.batch_size)
        longest = np.count_nonzero((cut.lines[batch] >= 0).any(axis=0))  # short documents need no long window
        logits = runner.logits(features, cut.lines[batch, :longest])
        if not np.isfinite(logits).all():
            raise BundleError("The model's network gives numbers that are not finite: train or save it again.")
        by_label = np.ascontiguousarray(np.moveaxis(logits, -1, 0))  # sums and maxima of short rows are slow
        exponents = np.exp(by_label - by_label.max(axis=0))
        values[batch, :longest] = np.moveaxis(exponents / exponents.sum(axis=0), 0, -1)
    return merge_windows(values, cut)
