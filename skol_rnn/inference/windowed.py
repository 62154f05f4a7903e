"""From a table of lines to probabilities, whatever runs the network: features, windows, network, windows merged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from skol_rnn.data.columns import lengths_of, rows_of, whole_documents
from skol_rnn.features.base import FeatureFamily, LineFeatures
from skol_rnn.windows import Windows, cut_windows, hop, merge_windows

if TYPE_CHECKING:
    from skol_rnn.data.columns import Lines
    from skol_rnn.inference.linear_member import LinearMember

CHUNK = 5_000
"""Lines worked on at a time, in whole documents: it bounds memory and cuts no document."""


class LineNetwork(Protocol):
    """What runs the network: Keras or ONNX Runtime."""

    n_labels: int

    def logits(self, features: LineFeatures, lines: np.ndarray) -> np.ndarray:
        """Compute logits (windows, window, labels) of windows of lines; -1 is padding, on the right."""


@dataclass(frozen=True)
class Sweep:
    """How windows go over documents in prediction."""

    window_size: int
    stride: int
    merge: str
    batch_size: int

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Sweep:
        """Choose it by the parameters of ``RNNSkolModel``."""
        window = parameters["window_size"]
        stride = hop(window, parameters["prediction_stride"])
        return cls(window, stride, parameters["merge"], parameters["prediction_batch_size"])


def table_probabilities(
    network: LineNetwork, family: FeatureFamily, table: Lines, sweep: Sweep, linear: LinearMember | None = None
) -> np.ndarray:
    """Compute each line's probabilities, any tilt of class weights still in them."""
    pieces = [np.zeros((0, network.n_labels))]
    for start, end in whole_documents(table, CHUNK):
        part = rows_of(table, start, end)
        pieces.append(line_probabilities(network, family.transform(part), lengths_of(part), sweep, linear))
    return np.concatenate(pieces)


def line_probabilities(
    network: LineNetwork,
    features: LineFeatures,
    lengths: list[int],
    sweep: Sweep,
    linear: LinearMember | None = None,
) -> np.ndarray:
    """Compute the same from features that are at hand."""
    windows = cut_windows(lengths, sweep.window_size, sweep.stride)
    found = predict_lines(network, features, windows, sweep.merge, sweep.batch_size)
    return linear.mixed(found, features, lengths) if linear else found


def predict_lines(
    network: LineNetwork, features: LineFeatures, windows: Windows, merge: str = "centre", batch_size: int = 256
) -> np.ndarray:
    """Run the network over windows and put the probabilities back together, one row a line."""
    # (windows, window, labels)
    values = np.zeros((*windows.lines.shape, network.n_labels), np.float32)
    for i in range(0, len(windows), batch_size):
        values[i : i + batch_size] = _softmax(network.logits(features, windows.lines[i : i + batch_size]))
    return merge_windows(values, windows, merge)


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)
